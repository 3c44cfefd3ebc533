"""What people do to containers: be in them, start them again, wait for them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from geartrain.app.release import InstanceId
from geartrain.engine.docker.client import docker, reaching
from geartrain.engine.docker.host import DockerHome
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


def restart(home: DockerHome, one: InstanceId) -> None:
    """Stop an instance in order, and start it again."""
    docker("restart", "--", containers.container(home.base, one), timeout=600)


def wait(home: DockerHome, one: InstanceId) -> int:
    """Wait until an instance has ended; its exit code."""
    name = containers.container(home.base, one)
    return int(docker("wait", "--", name, timeout=30 * 86400).out.strip() or 0)
