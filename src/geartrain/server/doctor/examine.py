"""All of it, for one host."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from geartrain.errors import GearError
from geartrain.server import certificates, halting
from geartrain.server.doctor import machine
from geartrain.server.doctor.authority import authority
from geartrain.server.doctor.domains import domains, keys
from geartrain.server.doctor.finding import Finding
from geartrain.server.host import EngineKind, ServerHost


def examine(host: ServerHost) -> Iterator[Finding]:
    """Look at a host and the machine that it is on.

    Nothing is changed; a file comes and goes that domains are asked for.

    Args:
        host: the host.
    """
    yield machine.system()
    places = {"the host": host.folder}
    port = 80
    if host.facts.engine is EngineKind.DOCKER:
        from geartrain.engine.docker.host import DockerHost
        from geartrain.server.doctor import docker

        yield from docker.daemon()
        places |= docker.folders()
        own = DockerHost(host.folder)
        if own.exists():
            port = own.port(80)
            try:
                yield from docker.ports(own)
            except GearError as error:
                yield Finding(what=error.what, ok=False, remedy=error.remedy)
    yield from machine.disks(places | {"the system": Path("/")})
    yield from machine.clock()
    yield machine.reboot()
    yield from machine.units()
    if halting.halted(host.folder):
        yield Finding(
            what="everything was stopped by `gear host stop`, and the watcher lets it be",
            ok=False,
            remedy="gear converge --all",
        )
    yield from authority(host.certificates.settings())
    yield from keys(host.certificates)
    yield from domains(certificates.rows(host), host.certificates, time.time(), port)
