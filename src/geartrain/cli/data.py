"""`gear db` and `gear redis`: shells of the data services."""

from __future__ import annotations

import os
import shutil

import click
import msgspec

from geartrain.app.credentials import Logins
from geartrain.app.model import Role
from geartrain.cli import options, place
from geartrain.cli.place import Place
from geartrain.engine.embedded import binaries, postgres
from geartrain.errors import Exit, GearError


@click.group()
def db() -> None:
    """PostgreSQL."""


@db.command("shell", context_settings={"ignore_unknown_options": True})
@options.place
@click.option("--as", "role", type=click.Choice(["owner", "app", "read", "superuser"]),
              default="owner", help="Which role to log in as.")  # fmt: skip
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def db_shell(found: Place, role: str, arguments: tuple[str, ...]) -> None:
    """Open psql on the app's database. ARGUMENTS go to psql.

    \b
    Examples:
      gear db shell
      gear db shell --as read -c 'select count(*) from links'
    """
    if found.docker:
        from geartrain.cli import containers

        service, address = containers.service(found, Role.DATABASE).id.service, ""
    else:
        service, address = _service(found, "database")
    logins = _logins(found).databases[service]
    chosen = {"owner": logins.owner, "app": logins.app, "read": logins.reader,
              "superuser": logins.superuser}[role]  # fmt: skip
    if found.docker:
        containers.psql(found.docker, found, logins, chosen, arguments)
    env = {**os.environ, **postgres.client_environment(address, chosen, logins.database)}
    env["PATH"] = os.environ.get("PATH", os.defpath)
    psql = str(binaries.postgres_folder() / "psql")
    os.execve(psql, [psql, *arguments], env)  # noqa: S606  # becomes psql, so that it has the terminal


@click.group()
def redis() -> None:
    """Redis."""


@redis.command("shell", context_settings={"ignore_unknown_options": True})
@options.place
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def redis_shell(found: Place, arguments: tuple[str, ...]) -> None:
    """Open a Redis shell, or run the one command that ARGUMENTS are.

    \b
    Examples:
      gear redis shell
      gear redis shell get greeting
    """
    if found.docker:
        from geartrain.cli import containers

        service = containers.service(found, Role.CACHE).id.service
        containers.redis_cli(found.docker, found, _logins(found).caches[service], arguments)
    service, address = _service(found, "cache")
    login = _logins(found).caches[service].app
    for name in ("valkey-cli", "redis-cli"):
        if program := shutil.which(name):
            env = {**os.environ, "REDISCLI_AUTH": login.password, "VALKEYCLI_AUTH": login.password}
            words = [program, "-h", address, "--user", login.user, *arguments]
            os.execve(program, words, env)  # noqa: S606  # becomes it, for the terminal
    from geartrain.cli.redis_shell import talk

    talk(address, login, arguments)


def _service(found: Place, role: str) -> tuple[str, str]:
    with place.running(found) as client:
        for one in client.ask("observe")["instances"]:
            if one["role"] == role:
                return one["service"], one["address"]
    raise GearError(f"this app has no {role} service", code=Exit.FAILED)


def _logins(found: Place) -> Logins:
    """Those of the live release: a password that is a secret is in no file."""
    if found.app is not None:
        ledger = found.ledger()
        release = ledger.read(ledger.desired().live)
        if release is not None:
            return found.app.logins(found.home, release)
    return msgspec.json.decode(found.home.credentials.read_bytes(), type=Logins)
