"""What people do to containers: be in them, start them again, wait for them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import msgspec

from geartrain.app.release import InstanceId
from geartrain.engine.docker.client import docker, reaching
from geartrain.engine.docker.host import DockerHome
from geartrain.load.resolve import binary
from geartrain.render import containers


def inside(
    home: DockerHome,
    one: InstanceId,
    argv: Sequence[str],
    *,
    terminal: bool,
    env: Mapping[str, str] | None = None,
) -> tuple[list[str], dict[str, str]]:
    """The program to become, with its environment, to run a command in a container.

    Args:
        home: the app's home.
        one: the instance.
        argv: the command.
        terminal: it gets the caller's terminal.
        env: further variables; their values stand in no list of arguments.
    """
    options = ["--interactive", *(["--tty"] if terminal else [])]
    options += [f"--env={name}" for name in env or {}]
    words = [reaching(), "exec", *options, containers.container(home.base, one), *argv]
    return words, {**os.environ, **(env or {})}


def beside(
    home: DockerHome, text: str, environ: Mapping[str, str], *, terminal: bool
) -> tuple[list[str], dict[str, str]]:
    """The program to become, with its environment, to run a file's only service to its end.

    Args:
        home: the app's home.
        text: the Compose file. Passwords are in it: it goes into memory that ends with us.
        environ: the caller's environment.
        terminal: it gets the caller's terminal.
    """
    fd = os.memfd_create("compose", 0)  # whom we become has it too
    os.write(fd, text.encode())
    (key,) = msgspec.json.decode(text)["services"]
    env = {name: value for name, value in environ.items() if not name.startswith("COMPOSE_")}
    env = {"PATH": os.defpath, **env, "COMPOSE_IGNORE_ORPHANS": "1"}  # the release's instances
    words = [*binary(environ), f"--file=/proc/{os.getpid()}/fd/{fd}",
             f"--project-directory={home.folder}", "--progress=quiet", "run", "--rm", "--no-deps",
             *([] if terminal else ["--no-TTY"]), key]  # fmt: skip
    return words, env


def restart(home: DockerHome, one: InstanceId) -> None:
    """Stop an instance in order, and start it again."""
    docker("restart", "--", containers.container(home.base, one), timeout=600)


def wait(home: DockerHome, one: InstanceId) -> int:
    """Wait until an instance has ended; its exit code."""
    name = containers.container(home.base, one)
    return int(docker("wait", "--", name, timeout=30 * 86400).out.strip() or 0)
