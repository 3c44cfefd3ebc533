"""`gear job`: scheduled services."""

from __future__ import annotations

import time
from collections.abc import Iterable

import click

from geartrain.app.model import Role
from geartrain.cli import options, place
from geartrain.cli.output import note, show_error
from geartrain.cli.place import Place
from geartrain.errors import Exit, GearError

LOOK_EVERY = 0.1  # seconds


@click.group()
def job() -> None:
    """Services with a schedule (`x-gear.schedule`)."""


@job.command("run")
@options.place
@options.service
@click.option("-q", "--quiet", is_flag=True, help="Say nothing when it went well.")
def job_run(found: Place, service: str, quiet: bool) -> int:
    """Run the live release's SERVICE now, once, and exit with its code.

    While it runs it is not started a second time, by its schedule or by anybody:
    that exits with 5.

    \b
    Examples:
      gear job run cleanup
    """
    began = time.monotonic()
    code, why, tail = _on_docker(found, service) if found.docker else _here(found, service)
    if code:
        show_error(GearError(f"{service} {why}", tail=tail))
    elif not quiet:
        for line in tail:
            click.echo(line)
        note(f"{service}: ok after {time.monotonic() - began:.1f} s")
    return code


def _on_docker(found: Place, service: str) -> tuple[int, str, tuple[str, ...]]:
    from geartrain.engine.docker import jobs
    from geartrain.server import journal

    home = found.docker
    ledger = found.ledger()
    desired = ledger.desired()
    live = ledger.read(None if desired.stopped else desired.live)
    if home is None or live is None:
        raise place.not_running(found)
    _known(service, (one.name for one in live.app.of_role(Role.JOB)))
    done = jobs.run(home, service, live.number)
    journal.job(found.name, service, done)
    return done.code, done.why, done.tail


def _here(found: Place, service: str) -> tuple[int, str, tuple[str, ...]]:
    with place.running(found) as client:
        every = client.ask("observe")["instances"]
        mine = {one["service"]: one for one in every if one["role"] == "job"}
        _known(service, mine)
        before = mine[service]
        if before["state"] != "scheduled":
            raise GearError(f"{service} runs already", code=Exit.BUSY)
        client.ask("restart", names=[before["name"]])
        while True:  # as long as the job itself takes; Ctrl-C leaves it running
            seen = client.ask("observe")["instances"]
            now = next((one for one in seen if one["name"] == before["name"]), None)
            if now is None:
                raise GearError(f"{service} was stopped")
            if now["restarts"] > before["restarts"] and now["state"] == "scheduled":
                return now["code"] or 0, f"ended with exit code {now['code']}", ()
            time.sleep(LOOK_EVERY)


def _known(service: str, jobs: Iterable[str]) -> None:
    names = list(jobs)
    if service not in names:
        raise place.no_service(service, names)
