"""The few things that the machine tests ask of Docker."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.dockerd import DOCKER, docker

# How a machine reaches its package index.
NETWORK_SETTINGS = (
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "UV_DEFAULT_INDEX"),
)


def user_network_settings() -> list[str]:
    """Docker options that hand on how this machine reaches its package index."""
    return [word for name in NETWORK_SETTINGS if name in os.environ for word in ("--env", name)]


class Machine:
    """A running container that stands for somebody's machine."""

    def __init__(self, image: str) -> None:
        # The shell is the first process, and so the parent of orphans, which it waits for.
        first = ("sh", "-c", "while sleep 1; do :; done")
        # As on a machine: Docker lets anybody have port 80.
        ports = ("--sysctl", "net.ipv4.ip_unprivileged_port_start=1024")
        self.id = docker("run", "--detach", *ports, *user_network_settings(), image, *first)

    def remove(self) -> None:
        """End everything in it."""
        docker("rm", "--force", "--volumes", self.id)

    def put(self, source: Path, target: str) -> None:
        """Copy a file or folder into it, owned by root and readable by all."""
        docker("cp", source, f"{self.id}:{target}")

    def run(
        self, user: str, folder: str, argv: Sequence[str], timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in it as somebody; both outputs are kept apart."""
        return subprocess.run(
            [DOCKER, "exec", "--user", user, "--workdir", folder, self.id, *argv],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
