"""The edge's access log, which begins anew before it fills the disk."""

from __future__ import annotations

import contextlib

from geartrain.engine.docker import api
from geartrain.engine.docker.api import RefusedError
from geartrain.engine.docker.host import DockerHost

SIZE = 50 * 2**20  # bytes of a log, of which KEPT older ones are there besides
KEPT = 5


def is_large(host: DockerHost, most: int = SIZE) -> bool:
    """Whether a new log is due; `most` is in bytes."""
    try:
        return (host.edge / "logs" / "access.log").stat().st_size > most
    except FileNotFoundError:
        return False


def rotate(host: DockerHost, most: int = SIZE) -> None:
    """Begin a new access log where the one there is too large; `most` is in bytes."""
    log = host.edge / "logs" / "access.log"
    with host.edge_lock():
        if not is_large(host, most):
            return
        for number in range(KEPT, 1, -1):
            older = log.with_name(f"{log.name}.{number - 1}")
            if older.exists():
                older.replace(log.with_name(f"{log.name}.{number}"))
        log.replace(log.with_name(f"{log.name}.1"))
        # Workers write on into the old one until they are told (nginx.org, "Controlling nginx").
        with contextlib.suppress(RefusedError):
            api.post("containers", host.edge_container, "kill", signal="USR1")
