"""What nginx's access log says of a release: one JSON object a line, as `render.nginx` asks for."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from msgspec import Struct

from geartrain.engine.nginx import AGENT
from geartrain.engine.protocol import Traffic

MOST = 4 * 2**20  # bytes that are read, from the end


class _Line(Struct):
    time: float
    status: int
    generation: str  # `42-1c8f03aa` where the edge is one app's, `shop 42` where it is shared
    agent: str = ""


def traffic(log: Path, app: str, number: int, since: float) -> Traffic:
    """Requests of a release since a Unix time, but for those that the switch itself makes.

    Args:
        log: the access log.
        app: the app's name on the host; "" where the edge has no other.
        number: the release.
        since: only what was answered later counts.
    """
    shared, alone = f"{app} {number}", f"{number}-"
    requests = errors = 0
    for line in _end(log).splitlines():
        try:
            one = msgspec.json.decode(line, type=_Line)
        except msgspec.DecodeError:
            continue  # half a line
        mine = one.generation == shared or (not app and one.generation.startswith(alone))
        if mine and one.time >= since and one.agent != AGENT:
            requests += 1
            errors += one.status >= 500
    return Traffic(requests=requests, errors=errors)


def _end(log: Path) -> bytes:
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - MOST))
            return file.read()
    except FileNotFoundError:
        return b""
