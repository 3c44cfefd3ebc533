"""`gear run`: a command in an instance of its own, beside those that run."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from geartrain.app.model import Service
from geartrain.app.release import Release
from geartrain.cli import options, place
from geartrain.cli.execute import ANY, attend, become, words
from geartrain.cli.output import note
from geartrain.cli.place import Place
from geartrain.engine.embedded.supervisor.client import connect
from geartrain.errors import GearError, InvalidError

if TYPE_CHECKING:
    from geartrain.engine.embedded.engine import EmbeddedEngine


@click.command(context_settings=ANY)
@options.place
@click.option(
    "-e",
    "--env",
    "pairs",
    multiple=True,
    metavar="KEY[=VALUE]",
    help="A further variable; without a value, the caller's. Can be given more than once.",
)
@click.option("-T", "--no-tty", is_flag=True, help="No terminal, also where there is one.")
@click.option("--rm", "_", is_flag=True, help="Nothing is left afterwards, with or without this.")
@options.service
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(
    found: Place, pairs: tuple[str, ...], no_tty: bool, _: bool, service: str,
    command: tuple[str, ...],
) -> int:  # fmt: skip
    """Run a one-off COMMAND in a new instance of SERVICE, of the release that is live.

    It has the service's code, environment, volumes and data services, and an
    address of its own; SERVICE itself need not run. COMMAND is all that runs: the
    service's own command and entrypoint do not. No request is sent to it, its
    output goes to you alone, its exit code is gear's, and nothing of it is left.

    Where the app is not up, data services and what SERVICE depends on run for as
    long as COMMAND does. An app that Docker runs has to be up.

    `gear exec` runs a command inside an instance that runs.

    \b
    Examples:
      gear run backend python -c 'import os; print(os.environ["PGHOST"])'
      gear run -e DEBUG=1 backend python manage.py shell
      gear run backend python import.py < dump.csv
    """
    argv = words(command)
    more = dict(_pair(text) for text in pairs)
    if found.docker:
        from geartrain.cli import containers

        containers.check_running(found)
        release, wanted = _wanted(found, service)
        terminal = sys.stdin.isatty() and sys.stdout.isatty() and not no_tty
        containers.run(found.docker, found, release, wanted, argv, more, terminal=terminal)
    if not _up(found):
        _wanted(found, service)  # what is wrong is told at once
        with found.home.lock("`gear run`", note):
            if connect(found.home.run) is None:  # nobody else has brought it up meanwhile
                return _alone(found, service, argv, more)
    return _beside(found, service, argv, more)


def _up(found: Place) -> bool:
    """Whether more runs than data services, which may be there for another command's time."""
    client = connect(found.home.run)
    if client is None:
        return False
    with client:
        return any(one["release"] is not None for one in client.ask("observe")["instances"])


def _beside(found: Place, name: str, argv: tuple[str, ...], more: dict[str, str]) -> NoReturn:
    release, service = _wanted(found, name)
    spec = _engine(found, release).command(release, service, argv)
    become(spec.argv, {**spec.env, **more}, spec.cwd, spec.user)


def _alone(found: Place, name: str, argv: tuple[str, ...], more: dict[str, str]) -> int:
    from geartrain.cli.borrowed import borrowed

    release, service = _wanted(found, name)
    engine = _engine(found, release)
    with borrowed(found.home, engine, release, service):
        spec = engine.command(release, service, argv)
        return attend(spec.argv, {**spec.env, **more}, spec.cwd, spec.user)


def _engine(found: Place, release: Release) -> EmbeddedEngine:
    from geartrain.engine.embedded.engine import EmbeddedEngine

    engine = found.engine(release.number)
    if not isinstance(engine, EmbeddedEngine):
        raise TypeError("only Docker is another engine")
    return engine


def _wanted(found: Place, name: str) -> tuple[Release, Service]:
    """The live release, or which was until the app was stopped, and its service of that name."""
    ledger = found.ledger()
    release = ledger.read(ledger.desired().live)
    if release is None:
        raise place.not_running(found)
    service = release.app.services.get(name)
    fit = [one.name for one in release.app.services.values() if one.stateless]
    if service is None:
        raise place.no_service(name, fit)
    if not service.stateless:
        raise GearError(
            f"{name} keeps data, so there is no second one of it",
            remedy=f"`gear exec {name} ...` runs a command in the one there is;"
            " `gear db shell` and `gear redis shell` log in",
        )
    return release, service


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or "\0" in text:
        raise InvalidError(f"--env {text!r} names no variable", remedy="--env KEY=VALUE")
    return key, value if equals else os.environ.get(key, "")
