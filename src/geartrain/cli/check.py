"""`gear check`: the app's own tests, on data services of their own."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import click

from geartrain.cli import options, session
from geartrain.cli.output import note
from geartrain.engine.embedded.host import Host
from geartrain.engine.embedded.supervisor.client import connect
from geartrain.errors import InvalidError
from geartrain.release.check import check as run_checks


@click.command()
@options.folder
@options.files
@options.profiles
def check(folder: Path, files: tuple[Path, ...], profiles: tuple[str, ...]) -> int:
    """Run each service's `x-gear.check` command, after its migrations.

    PostgreSQL and Redis are throwaway ones, started for this and deleted
    afterwards; what `gear up` runs is not touched.

    \b
    Examples:
      gear check
    """
    project = folder.resolve()
    loaded = session.read(project, files, profiles)
    checked = [s for s in loaded.app.services.values() if s.gear.check]
    if not checked:
        raise InvalidError(
            "no service says how it is tested",
            where=loaded.app.compose_file,
            remedy="set x-gear.check, such as `check: pytest -q`",
        )
    main = Host(project)
    main.create()
    host = Host(project, main.folder / "check")
    with main.lock("`gear check`", note):
        _delete(host)
        host.create()
        host.envs = main.envs  # environments are made once for both
        try:
            return _run(host, loaded, [s.name for s in checked])
        finally:
            if client := connect(host.run):
                client.ask("shutdown")
                client.ended()
            _delete(host)


def _run(host: Host, loaded: session.Loaded, names: list[str]) -> int:
    ready, _ = session.prepare(host, loaded)
    began = time.monotonic()
    outcomes = run_checks(ready.engine, ready.release, names, note)
    for name, done in zip(names, outcomes, strict=True):
        for line in (host.logs / f"{name}.log").read_bytes().decode(errors="replace").split("\n"):
            who, _, text = line.partition(" ")[2].partition(" ")
            if who not in ("", "gear"):  # gear says how it ended; so does the verdict
                click.echo(text)
        verdict = "passed" if done.ok else f"failed: {done.reason}"
        note(f"{name}: check {verdict} after {time.monotonic() - began:.1f} s")
    return 0 if all(done.ok for done in outcomes) else 1


def _delete(host: Host) -> None:
    if host.folder.exists():
        if host.data.exists():
            shutil.rmtree(host.data.resolve(), ignore_errors=True)
        shutil.rmtree(host.folder)
