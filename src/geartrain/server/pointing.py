"""Where a domain points to, by this machine's own resolver."""

from __future__ import annotations

import socket

from geartrain.errors import GearError
from geartrain.run import run

WITHIN = 3.0  # seconds; a resolver may take longer, and nobody is to wait for it


def addresses(domain: str, within: float = WITHIN) -> tuple[str, ...] | None:
    """The addresses of a domain, sorted; None when the resolver did not say in time."""
    try:
        # A program can be ended; getaddrinfo(3) takes no time-out.
        said = run(("getent", "ahosts", domain), check=False, timeout=within).out
    except GearError:
        return None
    return tuple(sorted({line.split()[0] for line in said.splitlines() if line.strip()}))


def told(domain: str) -> str:
    """Say where a domain points to, in the words that follow its name."""
    return _said(addresses(domain))


def astray(domain: str) -> str:
    """The same, or "" where it points to this machine."""
    found = addresses(domain)
    return "" if found and any(map(is_ours, found)) else _said(found)


def is_ours(address: str) -> bool:
    """Whether an address is this machine's: only there can it be listened on."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def _said(found: tuple[str, ...] | None) -> str:
    if found is None:
        return "has no address that was told in time"
    if not found:
        return "has no address"
    strange = "" if any(map(is_ours, found)) else ", which this machine does not have itself"
    return f"points to {', '.join(found)}{strange}"
