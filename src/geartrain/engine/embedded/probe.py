"""How a service's readiness is found out on this engine."""

from __future__ import annotations

import re
from collections.abc import Mapping

from geartrain.app.health import local_url
from geartrain.app.model import Role, Service
from geartrain.engine.embedded.supervisor.spec import Probe, ProbeKind

_LOCAL = re.compile(r"\b(?:localhost|127\.0\.0\.1)\b")
WORKER_SETTLES = 0.5


def probe(service: Service, address: str, env: Mapping[str, str]) -> Probe:
    """The probe of one instance.

    `x-gear.health` comes first. A Compose healthcheck that only asks a local
    URL (`curl -f http://localhost:8000/health`) is asked without that program,
    which this machine may not have; any other one is run with `localhost`
    meaning the instance's own address. Without either, a service with a port
    is ready when it accepts a connection and stays, one without when it stays.
    """
    check = service.healthcheck
    again = {"interval": check.interval, "retries": check.retries} if check else {}
    if service.one_shot:
        return Probe(kind=ProbeKind.EXIT)
    if service.gear.health and service.port:
        path = service.gear.health
        return Probe(kind=ProbeKind.HTTP, address=address, port=service.port, path=path, **again)  # type: ignore[arg-type]  # two numbers
    if check:
        if url := local_url(check.test):
            port, path = url[0] or service.port or 80, url[1]
            return Probe(
                kind=ProbeKind.HTTP, address=address, port=port, path=path,
                timeout=check.timeout, interval=check.interval, retries=check.retries,
            )  # fmt: skip
        return Probe(
            kind=ProbeKind.COMMAND,
            address=address,
            port=service.port or 0,
            argv=tuple(_LOCAL.sub(address, word) for word in check.test),
            env=env,
            timeout=check.timeout,
            interval=check.interval,
            retries=check.retries,
        )
    if service.port and service.role in (Role.WEB, Role.EDGE):
        return Probe(kind=ProbeKind.TCP, address=address, port=service.port)
    return Probe(kind=ProbeKind.NONE, settle=WORKER_SETTLES)
