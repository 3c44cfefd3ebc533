"""Where every instance of a release is, for its siblings and for nginx."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from geartrain import durable
from geartrain.app.model import Role, Service
from geartrain.app.release import InstanceId, Release, instances
from geartrain.engine.embedded.host import Host
from geartrain.engine.embedded.ports import unprivileged
from geartrain.engine.protocol import Instance

ONE_OFF = "*"  # the address of commands that run once


class Addresses:
    """The loopback addresses of one release, decided before its first instance starts.

    Kept in the release's folder: instances name each other, and one that is
    started again later is where the others look for it.

    Args:
        host: gives addresses out.
        release: whose instances.
    """

    def __init__(self, host: Host, release: Release) -> None:
        self._host = host
        self._release = release
        self._file = host.releases / str(release.number) / "addresses.json"

    def decide(self, running: Iterable[Instance]) -> None:
        """Give every instance an address that nothing running has. Repeating changes nothing.

        With more copies than before, those that have an address keep it: they run.
        """
        taken = {one.address: one.id for one in running}
        wanted = {one.name for one in self._stateless()} | {ONE_OFF}
        kept = self._kept() if self._file.exists() else {}
        clash = any(
            address in taken and taken[address].release != self._release.number
            for address in kept.values()
        )
        if clash:
            kept = {}
        if not wanted <= set(kept):
            free = self._host.free_addresses({*taken, *kept.values()})
            given = kept | {name: next(free) for name in sorted(wanted - set(kept))}
            durable.write(self._file, msgspec.json.encode(given))

    def of_instances(self) -> dict[InstanceId, str]:
        """The address of each instance, data services included."""
        kept = self._kept()
        data = {
            one: self._host.address_of_data(service.name)
            for service in self._release.app.of_role(Role.DATABASE, Role.CACHE)
            for one in instances(self._release, service)
        }
        return data | {one: kept[one.name] for one in self._stateless() if one.name in kept}

    def of_one_off(self) -> str:
        """The address of a command that runs once."""
        return self._kept()[ONE_OFF]

    def names(self) -> dict[str, str]:
        """Service name or alias → address of its first instance."""
        found: dict[str, str] = {}
        for one, address in sorted(self.of_instances().items()):
            service = self._release.app.services[one.service]
            for name in (service.name, *service.aliases):
                found.setdefault(name, address)
        return found

    def servers(self) -> dict[str, tuple[str, ...]]:
        """Service name (`name:port` for a further port of it) → `address:port` of its instances."""
        found: dict[str, tuple[str, ...]] = {}
        for one, address in sorted(self.of_instances().items()):
            for name, port in _ports(self._release.app.services[one.service]).items():
                found[name] = (*found.get(name, ()), f"{address}:{port}")
        return found

    def _stateless(self) -> list[InstanceId]:
        services = self._release.app.services.values()
        return [i for s in services if s.stateless for i in instances(self._release, s)]

    def _kept(self) -> dict[str, str]:
        return msgspec.json.decode(self._file.read_bytes(), type=dict[str, str])


def _ports(service: Service) -> dict[str, int]:
    """The names under which a service's ports are asked for, and the ports here."""
    further = {port.target for port in service.ports} | set(service.expose)
    found = {}
    for name in (service.name, *service.aliases):
        if service.port is not None:
            found[name] = unprivileged(service.port)
        found |= {f"{name}:{p}": unprivileged(p) for p in further if p != service.port}
    return found
