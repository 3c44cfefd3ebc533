"""Which addresses the edge listens on, on a machine where ports may be taken."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from geartrain.app.published import TLS_PORT
from geartrain.app.routes import Site
from geartrain.engine.embedded.host import Host
from geartrain.engine.listeners import Holder, holder
from geartrain.errors import GearError

LOOPBACK = "127.0.0.1"
UNPRIVILEGED = 1024
STEPS = 100

_CLAIMED: dict[int, socket.socket] = {}


@dataclass(frozen=True)
class _Own:
    """By what a host's own nginx is known: its processes, and the folder that it works for."""

    pids: set[int]
    folder: Path


def choose(host: Host, sites: Sequence[Site], edge_pids: set[int]) -> tuple[str, ...]:
    """Decide on a port here for every site's port, and remember it.

    A port below 1024 becomes 8080 (or the next free one) for an ordinary user.
    A port held by the edge of another project gives way too; one held by a
    foreign program does not.

    Args:
        host: remembers what is decided.
        sites: what the app answers on.
        edge_pids: this host's own nginx, whose ports count as free.

    Returns:
        A sentence for each port that had to move.

    Raises:
        GearError: a foreign program holds a port that the Compose file names.
    """
    said = []
    mine = _Own(edge_pids, host.folder.resolve())
    for site in sites:
        known = host.facts.ports.get(str(site.port))
        if known and not _taken(known, mine):
            here = known
        else:
            here = _first_free(site.port, mine, set(host.facts.ports.values()))
        if here != site.port and here != known:
            said.append(_why(site.port, here))
        host.remember_port(site.port, here)
    return tuple(said)


def _first_free(port: int, mine: _Own, ours: set[int]) -> int:
    if may_bind(port):
        who = _taken(port, mine)
        if who is None and _claim(port):
            return port
        if who is not None and _edge_of(who) is None:
            raise GearError(
                f"port {port} is held by {who}",
                remedy=f"stop that program, or run `gear up --port {port}={8000 + port % 1000}`",
            )
    first = 8080 if port == 80 else port + 1 if may_bind(port) else 8000 + port
    for here in range(first, first + STEPS):
        if here not in ours and _taken(here, mine) is None and _claim(here):
            return here
    raise GearError(f"no free port from {first} to {first + STEPS - 1}")


def _claim(port: int) -> bool:
    """Keep a port to this process until its nginx holds it; False while another process does.

    Two projects may start for the first time at once. An address without a file is known as far as
    the port is, in one network namespace, and is free again when the process ends (unix(7)).
    """
    if port not in _CLAIMED:
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0geartrain/port/{port}")
        except OSError:
            claim.close()
            return False
        _CLAIMED[port] = claim
    return True


def _let_go() -> None:
    """A copy of this process, such as what watches a release, goes on longer than it needs them."""
    while _CLAIMED:
        _CLAIMED.popitem()[1].close()


os.register_at_fork(after_in_child=_let_go)


def _taken(port: int, mine: _Own) -> Holder | None:
    """Who holds a port, unless it is this host's nginx: also one whose supervisor just died."""
    who = holder(LOOPBACK, port)
    if who is None or who.pid in mine.pids or _edge_of(who) == mine.folder:
        return None
    return who


def _edge_of(who: Holder) -> Path | None:
    """The host's folder of a project's nginx; None for any other program.

    What is another project's moved there first, so this one moves on.
    """
    try:
        folder = Path(f"/proc/{who.pid}/cwd").readlink()
    except OSError:
        return None
    return (
        folder.parent if folder.name == "edge" and (folder.parent / "host.json").exists() else None
    )


@cache
def may_bind(port: int) -> bool:
    """True when this user may listen on a port (ip(7), `ip_unprivileged_port_start`)."""
    if port >= UNPRIVILEGED or os.geteuid() == 0:
        return True
    with socket.socket() as probe:
        try:
            probe.bind(("127.255.255.254", port))
        except PermissionError:
            return False
        except OSError:
            return True
        return True


def unprivileged(port: int) -> int:
    """The port at which a service answers here: one below 1024 moves up for an ordinary user."""
    return port if may_bind(port) else 8000 + port


def _why(asked: int, here: int) -> str:
    if not may_bind(asked):
        return f"port {asked} needs root: this is on {here} instead"
    return f"port {asked} is another project's: this is on {here} instead"


def listen(sites: Sequence[Site], ports: Mapping[str, int]) -> dict[int, tuple[str, ...]]:
    """Site's port → addresses to listen on.

    Loopback, unless the Compose file names an address: the wildcard would
    keep instances from the same port on their own addresses.
    """
    return {
        site.port: tuple(f"{ip}:{ports[str(site.port)]}" for ip in (site.host_ips or (LOOPBACK,)))
        for site in sites
    }


def urls(sites: Sequence[Site], ports: Mapping[str, int]) -> tuple[str, ...]:
    """Where a person finds the app on this machine."""
    found = []
    for site in sorted(sites, key=lambda site: site.port != TLS_PORT):
        scheme, usual = ("https", 443) if site.port == TLS_PORT else ("http", 80)
        here = ports.get(str(site.port))
        if here:
            found.append(f"{scheme}://localhost" + ("" if here == usual else f":{here}"))
    return tuple(dict.fromkeys(found))
