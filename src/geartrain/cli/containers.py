"""The commands about running instances, for the apps of a host with Docker."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NoReturn

import click

from geartrain.app.credentials import CacheLogins, DatabaseLogins, Login
from geartrain.app.model import Role, Service
from geartrain.app.release import Release
from geartrain.cli import place
from geartrain.cli.output import as_json as print_json
from geartrain.cli.output import note
from geartrain.cli.place import Place
from geartrain.cli.ps import table
from geartrain.engine.docker import attach
from geartrain.engine.docker import logs as said
from geartrain.engine.docker.following import follow
from geartrain.engine.docker.host import DockerHome
from geartrain.engine.protocol import Instance, State, shown
from geartrain.errors import Exit, GearError

FINE = (State.READY, State.SCHEDULED, State.EXITED, State.STOPPING)
# An image has one or the other; what follows are its arguments, no part of the text.
WHICHEVER = 'exec "$(command -v valkey-cli || command -v redis-cli)" "$@"'
SERVING = (Role.WEB, Role.WORKER, Role.OTHER)


def ps(found: Place, *, as_json: bool) -> int:
    """Show what runs."""
    seen = _running(found)
    if as_json:
        print_json({"app": found.name, "instances": [shown(one) for one in seen]})
    else:
        for line in table([shown(one) for one in seen]):
            click.echo(line)
    return 0 if all(one.state in FINE for one in seen) else 1


def logs(
    home: DockerHome, services: Sequence[str], since: str, tail: int, *, following: bool,
    wanted: Callable[[str], bool], show: Callable[[str], None],
) -> None:  # fmt: skip
    """Show what containers say, and what those said that are gone."""
    known = said.services(home)
    for service in services:
        if service not in known:
            raise place.no_service(service, known)
    now = datetime.now(UTC).isoformat()
    for line in said.kept(home, services, since, tail, now):
        if wanted(line):
            show(line)
    try:
        for line in follow(home, services, now) if following else ():
            if wanted(line):
                show(line)
    except KeyboardInterrupt:
        return


def become(home: DockerHome, found: Place, service: str, command: Sequence[str]) -> NoReturn:
    """Run a command in the newest instance of a service."""
    every = _running(found)
    mine = [one for one in every if one.id.service == service and one.id.index > 0]
    if not mine:
        raise place.no_service(service, (one.id.service for one in every))
    newest = max(mine, key=lambda one: (one.id.release or 0, -one.id.index))
    _exec(*attach.inside(home, newest.id, command, terminal=sys.stdin.isatty()))


def run(
    home: DockerHome, found: Place, release: Release, service: Service, command: tuple[str, ...],
    more: Mapping[str, str], *, terminal: bool,
) -> NoReturn:  # fmt: skip
    """Run a command in a container of its own."""
    from geartrain.engine.docker.engine import DockerEngine

    engine = found.engine(release.number)
    if not isinstance(engine, DockerEngine):
        raise TypeError("its home is Docker's")
    text = engine.command(release, service, command, more)
    _exec(*attach.beside(home, text, os.environ, terminal=terminal))


def check_running(found: Place) -> None:
    """Complain when nothing of the app runs."""
    _running(found)


def restart(home: DockerHome, found: Place, services: Sequence[str]) -> None:
    """Restart instances, one by one."""
    every = _running(found)
    _known(services, every)
    engine = found.engine()
    for one in every:
        lasting = one.id.release is None  # a data store
        if one.id.service in services if services else one.role in SERVING and not lasting:
            attach.restart(home, one.id)
            (done,) = engine.ready([one.id])
            if not done.ok:
                raise GearError(
                    f"{one.name} did not get ready again: {done.reason}", tail=done.tail
                )
            note(f"{one.name} is ready again")


def wait(home: DockerHome, found: Place, services: Sequence[str]) -> int:
    """Wait until instances have ended; the worst of their codes."""
    every = _running(found)
    _known(services, every)
    codes = []
    for one in every:
        if one.id.service in services:
            codes.append(attach.wait(home, one.id))
            click.echo(f"{one.name} ended {codes[-1]}")
    return max(codes)


def psql(
    home: DockerHome, found: Place, logins: DatabaseLogins, login: Login, arguments: Sequence[str]
) -> NoReturn:
    """Become psql in the database's container."""
    env = {"PGUSER": login.user, "PGPASSWORD": login.password, "PGDATABASE": logins.database,
           "PGHOST": "127.0.0.1"}  # fmt: skip
    one = service(found, Role.DATABASE)
    terminal = sys.stdin.isatty()
    _exec(*attach.inside(home, one.id, ["psql", *arguments], terminal=terminal, env=env))


def redis_cli(
    home: DockerHome, found: Place, logins: CacheLogins, arguments: Sequence[str]
) -> NoReturn:
    """Become redis-cli in the cache's container."""
    words = ["sh", "-c", WHICHEVER, "redis", "--user", logins.app.user, *arguments]
    one, word = service(found, Role.CACHE), logins.app.password
    env = {"REDISCLI_AUTH": word, "VALKEYCLI_AUTH": word}
    _exec(*attach.inside(home, one.id, words, terminal=sys.stdin.isatty(), env=env))


def service(found: Place, role: Role) -> Instance:
    """The instance of a data service."""
    for one in _running(found):
        if one.role == role:
            return one
    raise GearError(f"this app has no {role} service")


def _running(found: Place) -> tuple[Instance, ...]:
    seen = found.engine().observe().instances
    if not any(one.role != Role.EDGE for one in seen):
        raise place.not_running(found)
    return seen


def _known(services: Sequence[str], every: Sequence[Instance]) -> None:
    known = {one.id.service for one in every}
    for name in services:
        if name not in known:
            raise place.no_service(name, known)


def _exec(words: list[str], env: dict[str, str]) -> NoReturn:
    sys.stdout.flush()
    try:
        os.execve(words[0], words, env)  # noqa: S606  # becomes it, for the terminal
    except OSError as error:
        raise GearError(f"{words[0]}: {error.strerror}", code=Exit.NO_COMMAND) from error
