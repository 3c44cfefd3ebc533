"""Ports for what the tests start: nobody else gets them meanwhile."""

from __future__ import annotations

import contextlib
import random
import socket

# Below those that the kernel gives to whoever asks for any, clients among them (ip(7),
# ip_local_port_range): one that was free a moment ago may be somebody's when a server wants it.
FIRST, PARTS, PART = 20000, 24, 500
APART = 5  # those in between are for projects that move on from a port that is taken

_luck = random.SystemRandom()
_mine: list[int] = []
_claims: list[socket.socket] = []


def free_port() -> int:
    """A port that nobody listens on, and that is given once."""
    while True:
        if not _mine:
            _mine.extend(_part())
        port = _mine.pop()
        with (
            contextlib.suppress(OSError),
            socket.socket() as probe,
            socket.socket(socket.AF_UNIX) as claim,
        ):
            probe.bind(("", port))
            # What an engine in a test's own process has chosen stays its until the end.
            claim.bind(f"\0geartrain/port/{port}")
            return port


def _part() -> list[int]:
    """Some hundred ports for this process alone, for as long as it runs.

    An abstract name belongs to one process at a time and, as ports do, to a network (unix(7)).
    """
    for number in _luck.sample(range(PARTS), PARTS):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0geartrain-tests-ports-{number}")
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        first = FIRST + number * PART
        return _luck.sample(range(first, first + PART, APART), PART // APART)
    raise RuntimeError("others have all ports that there are for tests")
