"""`gear plan`: what `up` would do."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from geartrain.cli import options, place
from geartrain.load import load

if TYPE_CHECKING:
    from geartrain.release.session import Session


@click.command()
@options.folder
@options.files
@options.profiles
@options.app_name
@options.host_dir
@options.json
def plan(
    folder: Path,
    files: tuple[Path, ...],
    profiles: tuple[str, ...],
    app_name: str | None,
    host_dir: Path | None,
    as_json: bool,
) -> None:
    """Print the steps that `gear up` would take, and take none. Nothing when nothing is to do.

    For an app of a host these are the steps of `gear converge`;
    `git push -o plan live main` prints those of a push.

    \b
    Examples:
      gear plan
      gear plan --json examples/links
    """
    if app_name or host_dir:
        _of_app(place.find(folder, app_name, host_dir), as_json=as_json)
        return
    project = folder.resolve()
    loaded = load(
        project, files=files, profiles=profiles, environ=os.environ, meanwhile=_import_the_rest
    )
    from geartrain.cli import output, session
    from geartrain.engine.embedded.host import Host

    host = Host(project)
    host.create()
    with host.lock("`gear plan`", output.note):
        ready, _ = session.prepare(host, loaded)
    _print(ready, as_json=as_json)


def _of_app(found: place.Place, *, as_json: bool) -> None:
    from geartrain.cli import output
    from geartrain.errors import GearError
    from geartrain.release.session import prepare

    with found.home.lock("`gear plan`", output.note):
        ledger = found.ledger()
        desired = ledger.desired()
        live = ledger.read(desired.live)
        if live is None:
            raise GearError("no release is live yet", remedy="git push")
        ready = prepare(live, found.engine(desired.live), ledger, desired)
    _print(ready, as_json=as_json)


def _print(ready: Session, *, as_json: bool) -> None:
    import msgspec

    from geartrain.cli import output

    if as_json:
        steps = [{"text": str(s), **msgspec.to_builtins(s)} for s in ready.steps]
        output.as_json(
            {"release": ready.release.number, "live": ready.desired.live, "steps": steps}
        )
        return
    for step in ready.steps:
        click.echo(str(step))


def _import_the_rest() -> None:
    for name in ("dockerfile_parse", "geartrain.cli.session"):
        importlib.import_module(name)
