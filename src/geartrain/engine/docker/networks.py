"""Networks with addresses of our own choosing, so that they stay the same for good.

Docker's own pools hold some thirty networks, and a container that Docker starts
again (after a crash, or when the daemon was restarted) may get the address that
another one had. Networks cut from a pool of ours, with an address for each
instance, know neither problem. What Docker chooses by itself (for commands that
run once) comes from the upper quarter of a network.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from threading import Lock

import msgspec

from geartrain.engine.docker import api
from geartrain.engine.docker.api import RefusedError
from geartrain.engine.docker.host import DockerHome, DockerHost
from geartrain.errors import GearError
from geartrain.render import containers

# Private ranges (RFC 1918, RFC 2544) that neither Docker nor most offices use.
POOLS = ("10.213.0.0/16", "172.30.0.0/16", "10.77.0.0/16", "198.18.0.0/16")
SMALLEST = 26
_making: dict[str, Lock] = {}
RESERVED = 2  # the network's own address and its gateway


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """A network that is there."""

    name: str
    subnet: IPv4Network

    def address(self, number: int) -> str:
        """The address of the instance of a number, counted from 0.

        Raises:
            GearError: the network has not so many.
        """
        if number >= _fixed(self.subnet):
            raise GearError(f"the network {self.name} has no address for instance {number + 1}")
        return str(self.subnet[RESERVED + number])


class _Range(msgspec.Struct):
    subnet: str = msgspec.field(name="Subnet", default="")


class _Ipam(msgspec.Struct):
    config: list[_Range] | None = msgspec.field(name="Config", default=None)


class _Inspected(msgspec.Struct):
    name: str = msgspec.field(name="Name")
    ipam: _Ipam = msgspec.field(name="IPAM")


def ensure(home: DockerHome, name: str, *, room: int = 0, internal: bool = False) -> Network:
    """Make a network that is not there.

    Args:
        home: the app whose it is.
        name: its name.
        room: how many fixed addresses it needs.
        internal: nothing on it reaches, or is reached from, beyond it.

    Raises:
        GearError: every address of the host's pool is taken.
    """
    # Two threads of this process may need it first; Docker would make two of one name.
    with _making.setdefault(name, Lock()):
        return _ensured(home, name, room=room, internal=internal)


def _ensured(home: DockerHome, name: str, *, room: int, internal: bool) -> Network:
    if (there := find(name)) is not None:
        if there.subnet.num_addresses and _fixed(there.subnet) >= room:
            return there
        remove(name)  # nothing is on it that would fit; Docker refuses when something is
    prefix = next(
        p for p in range(SMALLEST, 15, -1) if _fixed(IPv4Network(f"10.0.0.0/{p}")) >= room
    )
    trouble = ""
    for subnet in _candidates(pool(home.host), prefix, name):
        dynamic = list(subnet.subnets(new_prefix=prefix + 2))[3]
        addresses = {"Subnet": str(subnet), "IPRange": str(dynamic), "Gateway": str(subnet[1])}
        wanted = {
            "Name": name,
            "CheckDuplicate": True,  # which daemons before API 1.44 do only when asked
            "Driver": "bridge",
            "Internal": internal,
            "Labels": home.labels,
            "IPAM": {"Config": [addresses]},
        }
        try:
            api.post("networks", "create", body=wanted)
        except RefusedError as error:
            trouble = error.what
            if "already exists" in trouble and (there := find(name)) is not None:
                return there
            if "overlap" not in trouble:
                raise
        else:
            return Network(name=name, subnet=subnet)
    raise GearError(
        f"no addresses are left for the network {name}: {trouble}",
        remedy="`docker network ls` shows what holds them; `docker network prune` frees what"
        " nothing uses",
    )


def find(name: str) -> Network | None:
    """A network by its name."""
    found = api.get(_Inspected, "networks", name)
    if found is None:
        return None
    subnets = (part.subnet for part in found.ipam.config or ())
    subnet = next((one for one in subnets if one and ":" not in one), "0.0.0.0/32")
    return Network(name=name, subnet=IPv4Network(subnet))


def remove(*names: str) -> None:
    """Remove networks that nothing is on; the others stay."""
    for name in names:
        with contextlib.suppress(RefusedError):  # something is on it
            api.delete("networks", name)


def of_app(home: DockerHome) -> tuple[str, ...]:
    """The names of an app's networks."""
    chosen = containers.filters(home.labels)
    return tuple(one.name for one in api.get(list[_Inspected], "networks", filters=chosen) or ())


def pool(host: DockerHost) -> IPv4Network:
    """What the host's networks are cut from: the first pool that this machine routes nowhere."""
    if not host.facts.pool:
        taken = _routes(Path("/proc/net/route"))
        free = [one for one in POOLS if not any(IPv4Network(one).overlaps(net) for net in taken)]
        host.remember_pool(free[0] if free else POOLS[0])
    return IPv4Network(host.facts.pool)


def _routes(table: Path) -> Sequence[IPv4Network]:
    """Where this machine sends packets, but for the default route (proc(5), `/proc/net/route`)."""
    found = []
    for line in table.read_text().splitlines()[1:]:
        words = line.split()
        base, mask = (int.from_bytes(bytes.fromhex(words[at]), "little") for at in (1, 7))
        if mask:
            found.append(IPv4Network((base, mask.bit_count())))
    return found


def _candidates(whole: IPv4Network, prefix: int, name: str) -> Iterator[IPv4Network]:
    """Every network of a size, from one that only the name decides: most are free there."""
    count = 2 ** (prefix - whole.prefixlen)
    first = zlib.crc32(name.encode()) % count
    size = 2 ** (32 - prefix)
    for number in range(count):
        start = int(whole.network_address) + (first + number) % count * size
        yield IPv4Network((start, prefix))


def _fixed(subnet: IPv4Network) -> int:
    """How many addresses a network has for instances."""
    return max(0, subnet.num_addresses * 3 // 4 - RESERVED)
