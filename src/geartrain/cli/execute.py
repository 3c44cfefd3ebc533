"""`gear exec` and `gear run`: commands in a service's surroundings."""

from __future__ import annotations

import os

import click

from geartrain.cli import options, place
from geartrain.cli.place import Place
from geartrain.errors import Exit, GearError

ANY = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.command("exec", context_settings=ANY)
@options.place
@options.service
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_(found: Place, service: str, command: tuple[str, ...]) -> None:
    """Run COMMAND with the environment, folder and address of SERVICE's first instance.

    \b
    Examples:
      gear exec backend python manage.py shell
      gear exec backend env
    """
    _become(found, service, command)


@click.command(context_settings=ANY)
@options.place
@options.service
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(found: Place, service: str, command: tuple[str, ...]) -> None:
    """Run a one-off COMMAND as SERVICE would: same code, same environment, same data.

    \b
    Examples:
      gear run backend python -c 'import os; print(os.environ["PGHOST"])'
    """
    _become(found, service, command)


def _become(found: Place, service: str, command: tuple[str, ...]) -> None:
    command = command[command[0] == "--" :]  # as after `docker run` and the like: optional
    if not command:
        raise click.UsageError("Missing argument 'COMMAND...'.")
    if found.docker:
        from geartrain.cli import containers

        containers.become(found.docker, found, service, command)
    with place.running(found) as client:
        every = client.ask("observe")["instances"]
        mine = [one for one in every if one["service"] == service and one["index"] > 0]
        if not mine:
            raise place.no_service(service, (one["service"] for one in every))
        newest = max(mine, key=lambda one: one["release"] or 0)
        spec = client.ask("spec", name=newest["name"])["spec"]
    env = {k: v for k, v in spec["env"].items() if not k.startswith("GEAR_INSTANCE")}
    env["TERM"] = os.environ.get("TERM", "dumb")
    os.chdir(spec["cwd"])
    if spec["user"] is not None:
        os.setgid(spec["user"])
        os.setuid(spec["user"])
    try:
        os.execvpe(command[0], list(command), env)  # noqa: S606  # becomes it, for the terminal
    except OSError as error:
        raise GearError(f"{command[0]}: {error.strerror}", code=Exit.NO_COMMAND) from error
