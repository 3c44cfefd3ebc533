"""PostgreSQL or Redis of an app: what has to be there before it starts, and its start."""

from __future__ import annotations

from geartrain.app.credentials import Logins
from geartrain.app.model import Role, Service
from geartrain.engine.embedded import postgres, valkey
from geartrain.engine.embedded.host import Host
from geartrain.engine.embedded.supervisor.client import ensure
from geartrain.engine.embedded.supervisor.spec import Spec
from geartrain.engine.protocol import Say
from geartrain.errors import GearError


def prepare(host: Host, service: Service, known: Logins, say: Say) -> tuple[Spec, bool]:
    """Make its folder and its files.

    Args:
        host: the private host.
        service: the data service.
        known: the logins of all.
        say: told what is going on.

    Returns:
        Its process, and whether it has yet to get its first contents.

    Raises:
        GearError: its data does not fit.
    """
    if service.role is Role.DATABASE:
        mine = known.databases[service.name]
        new = postgres.prepare(host, service, mine, say)
        return postgres.spec(host, service, mine), new
    valkey.prepare(host, service, known.caches[service.name])
    return valkey.spec(host, service, known.caches[service.name]), False


def start(host: Host, spec: Spec) -> None:
    """Start it, and wait until it is ready.

    Raises:
        GearError: it did not get ready.
    """
    # A connection of its own: it waits while others ask.
    with ensure(host.run, host.logs) as client:
        client.start([spec])
        seen = client.ask("ready", names=[spec.name])["instances"][0]
    if not seen["fine"]:
        raise GearError(
            f"{spec.name} did not get ready: {seen['note']}",
            tail=seen["tail"],
            remedy=f"`gear logs {spec.name}` shows all of it; its data was not touched",
        )
