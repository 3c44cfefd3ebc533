"""What a release is: one resolved configuration with its source, numbered."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from geartrain.app.model import App, Role, Service


class Release(Struct, frozen=True, kw_only=True):
    """An immutable, numbered version of an app.

    `commit` names the snapshot of the source in the host's repository.
    `fingerprint` is equal for two releases that would run the same.
    """

    number: int
    commit: str
    fingerprint: str
    app: App
    summary: str = ""


class InstanceId(Struct, frozen=True, kw_only=True, order=True):
    """One copy of a service: of a release, or of none for what outlives releases."""

    service: str
    release: int | None = None
    index: int = 1

    @property
    def name(self) -> str:
        """`web.7.1` (release 7, first replica); data services are plain `postgres`."""
        return (
            self.service if self.release is None else f"{self.service}.{self.release}.{self.index}"
        )


def instances(release: Release, service: Service) -> tuple[InstanceId, ...]:
    """The copies of a service that a release wants."""
    if not service.stateless:
        return (InstanceId(service=service.name),)
    count = 1 if service.one_shot or service.role is Role.JOB else service.replicas
    return tuple(
        InstanceId(service=service.name, release=release.number, index=index + 1)
        for index in range(count)
    )


def scaled(release: Release, replicas: Mapping[str, int]) -> Release:
    """The same release with as many copies of some services as somebody asked for."""
    services = {
        name: replace(service, replicas=replicas[name]) if name in replicas else service
        for name, service in release.app.services.items()
    }
    return replace(release, app=replace(release.app, services=services))


def definition(service: Service) -> str:
    """A short name for all that a service's entry says, to see whether it changed."""
    if service.known_as:
        return service.known_as
    import hashlib  # with it OpenSSL comes, which is too large for what only watches

    return hashlib.sha256(msgspec.json.encode(service, order="deterministic")).hexdigest()[:16]
