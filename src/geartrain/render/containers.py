"""How containers, networks and volumes of an app are called, and what their labels say.

Labels are how an engine knows its own again: nothing else is ever touched.
"""

from __future__ import annotations

from collections.abc import Mapping

from geartrain.app.model import Service
from geartrain.app.release import InstanceId, Release, instances

PREFIX = "geartrain."
HOST = f"{PREFIX}host"  # which host's it is: two may share a Docker daemon
APP = f"{PREFIX}app"
SERVICE = f"{PREFIX}service"
RELEASE = f"{PREFIX}release"  # none on what outlives releases
INDEX = f"{PREFIX}index"  # 0 for a command that runs once
ROLE = f"{PREFIX}role"
DEFINITION = f"{PREFIX}definition"  # of what it was made
PORT = f"{PREFIX}port"
SCHEDULE = f"{PREFIX}schedule"  # when a job runs, as a cron expression
COMMAND = f"{PREFIX}command"  # the app of which a person runs a command; it is no instance
PROBE = f"{PREFIX}probe"  # how its readiness is found out


def project(app: str, release: int | None = None) -> str:
    """The Compose project: `shop` for data services, `shop--r42` for a release.

    >>> project("shop", 42)
    'shop--r42'
    """
    return app if release is None else f"{app}--r{release}"


def container(app: str, one: InstanceId) -> str:
    """The name of an instance's container: `shop--r42-web-1`, `shop-postgres-1`."""
    return f"{project(app, one.release)}-{one.service}-{one.index}"


def volume(app: str, name: str) -> str:
    """The name that Compose itself gives a volume, so that data from before is found again."""
    return f"{app}_{name}"


def data_network(app: str) -> str:
    """The network that an app's data services are on; it leads nowhere else."""
    return f"{app}--data"


def outside_network(app: str) -> str:
    """The network by which an app's other data stores reach the world."""
    return f"{app}--stores"


def keys(release: Release) -> dict[InstanceId, str]:
    """A service's key in the release's Compose file for each of its instances: `web-1`.

    Docker makes a network name of it, so it is no other service's name.
    """
    taken = {name for s in release.app.services.values() for name in (s.name, *s.aliases)}
    found: dict[InstanceId, str] = {}
    for service in release.app.services.values():
        if not service.stateless:
            continue
        for one in instances(release, service):
            key = f"{one.service}-{one.index}"
            while key in taken:
                key = f"{key}-{one.index}"
            taken.add(key)
            found[one] = key
    return found


def labels(
    host: str, app: str, one: InstanceId, service: Service, definition: str, probe: str = ""
) -> dict[str, str]:
    """What a container says of itself.

    Args:
        host: the host's id.
        app: the app's name on the host.
        one: which instance it is.
        service: its service.
        definition: short name of what it is made from.
        probe: how its readiness is found out.
    """
    said = {
        HOST: host,
        APP: app,
        SERVICE: one.service,
        INDEX: str(one.index),
        ROLE: str(service.role),
        DEFINITION: definition,
        PROBE: probe,
    }
    if one.release is not None:
        said[RELEASE] = str(one.release)
    if service.port is not None:
        said[PORT] = str(service.port)
    if service.gear.schedule is not None:
        said[SCHEDULE] = service.gear.schedule
    return said


def identify(said: Mapping[str, str]) -> InstanceId | None:
    """The instance that a container's labels name, or None."""
    index, release = said.get(INDEX, ""), said.get(RELEASE, "")
    if SERVICE not in said or not index.isdigit() or not (release or "0").isdigit():
        return None
    number = int(release) if release else None
    return InstanceId(service=said[SERVICE], release=number, index=int(index))


def filters(labels: Mapping[str, str]) -> dict[str, list[str]]:
    """What Docker's lists take to select by labels; "" is any value."""
    return {"label": [f"{name}={value}" if value else name for name, value in labels.items()]}
