"""Small apps and releases for tests, without a Compose file."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from geartrain.app.model import App, Build, Dependency, Role, Service
from geartrain.app.policy import ServicePolicy
from geartrain.app.release import Release


def service(name: str, role: Role = Role.OTHER, *needs: str, **rest: Any) -> Service:
    """A service.

    Args:
        name: its name.
        role: what it is.
        needs: names of the services that it depends on.
        rest: further fields of `Service`.
    """
    depends = tuple(Dependency(service=need) for need in needs)
    return Service(name=name, role=role, depends_on=depends, **rest)


def web(name: str = "web", *needs: str, **rest: Any) -> Service:
    """A built service that answers HTTP on port 8080."""
    rest.setdefault("port", 8080)
    return service(name, Role.WEB, *needs, build=Build(context=name), **rest)


def worker(name: str = "worker", *needs: str, **rest: Any) -> Service:
    """A built service that is not reached over the network."""
    return service(name, Role.WORKER, *needs, build=Build(context=name), **rest)


def job(name: str = "report", *needs: str, **rest: Any) -> Service:
    """A built service that runs every night."""
    gear = ServicePolicy(schedule="0 3 * * *")
    return service(name, Role.JOB, *needs, build=Build(context=name), gear=gear, **rest)


def one_shot(name: str = "setup", *needs: str, **rest: Any) -> Service:
    """A built service that runs to completion."""
    return worker(name, *needs, one_shot=True, **rest)


def postgres(name: str = "postgres", **rest: Any) -> Service:
    """A PostgreSQL."""
    return service(name, Role.DATABASE, **{"image": "postgres:18", "port": 5432, **rest})


def redis(name: str = "redis", **rest: Any) -> Service:
    """A Redis."""
    return service(name, Role.CACHE, **{"image": "redis:8", "port": 6379, **rest})


def app(*services: Service, name: str = "shop") -> App:
    """An app of these services."""
    return App(name=name, services={one.name: one for one in services})


def release(number: int, of: App, source: str = "") -> Release:
    """A release of an app.

    Args:
        number: its number.
        of: the app.
        source: stands for the source's content; two releases with the same app
            and source have the same fingerprint.
    """
    text = msgspec.json.encode(of, order="deterministic") + source.encode()
    return Release(
        number=number,
        commit=hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest(),
        fingerprint=hashlib.sha256(text).hexdigest()[:20],
        app=of,
    )
