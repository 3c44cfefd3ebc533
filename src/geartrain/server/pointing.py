"""Where a domain points to, by this machine's own resolver."""

from __future__ import annotations

import socket
import threading

WITHIN = 3.0  # seconds; a resolver may take longer, and nobody is to wait for it


def addresses(domain: str, within: float = WITHIN) -> tuple[str, ...] | None:
    """The addresses of a domain, sorted; None when the resolver did not say in time."""
    found: list[tuple[str, ...]] = []

    def ask() -> None:
        try:
            known = socket.getaddrinfo(domain, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            known = []
        found.append(tuple(sorted({str(one[4][0]) for one in known})))

    # getaddrinfo(3) takes no time-out; a thread that nobody waits for ends with the process.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(within)
    return found[0] if found else None


def told(domain: str) -> str:
    """Say where a domain points to, in the words that follow its name."""
    found = addresses(domain)
    if found is None:
        return "has no address that was told in time"
    return f"points to {', '.join(found)}" if found else "has no address"
