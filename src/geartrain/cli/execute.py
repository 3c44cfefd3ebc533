"""`gear exec`: a command in the surroundings of an instance that runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

import click

from geartrain.cli import options, place
from geartrain.cli.place import Place
from geartrain.engine.descent import signal_on_parent_death
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


def words(command: tuple[str, ...]) -> tuple[str, ...]:
    """The command without a `--` before it, which is as optional as after `docker run`."""
    command = command[command[0] == "--" :]
    if not command:
        raise click.UsageError("Missing argument 'COMMAND...'.")
    return command


def _become(found: Place, service: str, command: tuple[str, ...]) -> None:
    command = words(command)
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
    become(command, env, spec["cwd"], spec["user"])


def become(
    command: Sequence[str], env: Mapping[str, str], folder: str, user: int | None
) -> NoReturn:
    """Become a command, for the terminal.

    Args:
        command: its words.
        env: its environment, but for TERM.
        folder: where it runs.
        user: as whom; None for whoever calls.

    Raises:
        GearError: there is no such program.
    """
    sys.stdout.flush()
    os.chdir(folder)
    if user is not None:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    try:
        os.execvpe(command[0], list(command), _with_term(env))  # noqa: S606  # becomes it
    except OSError as error:
        raise _unable(command, error) from error


def attend(command: Sequence[str], env: Mapping[str, str], folder: str, user: int | None) -> int:
    """Run a command in the terminal's foreground to its end, for who has to clean up after it.

    Args: as in `become`.

    Returns:
        Its exit code; for one that a signal ended 128 and that signal, as in shells.

    Raises:
        GearError: there is no such program.
    """
    sys.stdout.flush()
    # The terminal asks the command, too, and that decides. It may do so before this process has
    # gone on after its start; what is ignored, unlike this, the command would ignore as well.
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, lambda *_: None)
    early: list[int] = []  # who is asked to end before the command can be told tells it then
    pass_on: Callable[[int], None] = early.append
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, _: pass_on(got))
    try:
        running = subprocess.Popen(
            list(command),
            env=_with_term(env),
            cwd=folder,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            preexec_fn=lambda: signal_on_parent_death(signal.SIGKILL),  # it is nobody's then
        )
    except OSError as error:
        raise _unable(command, error) from error
    pass_on = running.send_signal
    for got in early:
        running.send_signal(got)
    code = running.wait()
    return code if code >= 0 else 128 - code


def _with_term(env: Mapping[str, str]) -> dict[str, str]:
    return {"TERM": os.environ.get("TERM", "dumb"), **env}


def _unable(command: Sequence[str], error: OSError) -> GearError:
    return GearError(f"{command[0]}: {error.strerror}", code=Exit.NO_COMMAND)
