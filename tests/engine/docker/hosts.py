"""Hosts in Docker for tests: each with an id of its own, and nothing left of it."""

from __future__ import annotations

import subprocess

from geartrain.engine.docker.host import DockerHost
from geartrain.engine.memory import Memory
from geartrain.render import containers
from tests.cli.running import until
from tests.dockerd import DOCKER, docker


def clean(host: DockerHost) -> None:
    """Take away everything that carries a host's label, and what is in memory of its apps."""
    for app in (host.folder / "apps").glob("*"):
        Memory(host.folder, app.name).forget()
    mine = f"--filter=label={containers.HOST}={host.facts.id}"
    if names := docker("ps", "--all", "--quiet", mine).split():
        docker("rm", "--force", "--volumes", *names)
    for kind in ("network", "volume"):

        def gone() -> bool:
            left = docker(kind, "ls", "--quiet", mine).split()  # noqa: B023  # called here only
            # What ends old instances may be quicker with some of them.
            subprocess.run([DOCKER, kind, "rm", *left], capture_output=True, check=False)  # noqa: B023
            return not left

        until(gone, f"no {kind} is left")
    if names := docker("images", "--quiet", mine).split():
        docker("rmi", "--force", *set(names))
