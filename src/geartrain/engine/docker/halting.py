"""Ends everything of a host in order before the machine goes down: edge, apps, data services.

The containers stay, and nothing is written down: what should run is what should have run before.
"""

from __future__ import annotations

from collections.abc import Sequence

from geartrain.app.model import Role
from geartrain.engine.docker import edge
from geartrain.engine.docker.client import docker
from geartrain.engine.docker.host import DockerHost
from geartrain.engine.docker.observing import Container, labelled
from geartrain.render import containers

TIMEOUT = 240.0
"""Seconds for the containers of one kind; each has its own grace period below that."""
_DATA = (Role.DATABASE, Role.CACHE)


def halt(host: DockerHost) -> int:
    """Stop every container of the host that runs.

    Args:
        host: the host.

    Returns:
        How many there were.

    Raises:
        GearError: Docker does not answer, or one did not end.
    """
    if not host.exists():
        return 0
    every = labelled({containers.HOST: host.facts.id})
    found = [one for one in every if one.running]
    front = [one for one in found if one.role == edge.NAME]
    data = [one for one in found if one.role in _DATA]
    apps = [one for one in found if one not in front and one not in data]
    # No new request first; then what may still work on one; what keeps its results last.
    for part in (front, apps, data):
        _stop(part)
    return len(found)


def _stop(found: Sequence[Container]) -> None:
    if found:
        docker("stop", "--", *(one.id for one in found), timeout=TIMEOUT)
