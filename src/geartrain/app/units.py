"""Durations and sizes as Compose writes them.

Source: Compose specification, "Specifying durations" and "Specifying byte values".
"""

from __future__ import annotations

import re

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(us|µs|ns|ms|s|m|h|d)")
_SECONDS = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0,
}  # fmt: skip
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?")
_POWER = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def seconds(text: str) -> float:
    """Read a duration such as `1m30s`, `500ms` or `0`, in seconds.

    Raises:
        ValueError: it is not a duration.
    """
    word = text.strip()
    if word == "0":
        return 0.0
    total, end = 0.0, 0
    for part in _DURATION.finditer(word):
        if part.start() != end:
            break
        total += float(part[1]) * _SECONDS[part[2]]
        end = part.end()
    if not word or end != len(word):
        raise ValueError("must be a duration such as 30s, 1m30s or 500ms")
    return total


def size(text: str) -> int:
    """Read a size such as `512m`, `1.5gb` or `1024`, in bytes (powers of 1024).

    Raises:
        ValueError: it is not a size.
    """
    found = _SIZE.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError("must be a size such as 512m, 1.5g or a number of bytes")
    return int(float(found[1]) * 1024 ** _POWER[found[2]])


def show_seconds(value: float) -> str:
    """Write seconds the way Compose does: 90.0 is `1m30s`, 0.5 is `500ms`."""
    micros = round(value * 1_000_000)
    text = ""
    for unit, length in (("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000)):
        if micros >= length:
            text += f"{micros // length}{unit}"
            micros %= length
    if micros % 1000 == 0 and micros:
        return f"{text}{micros // 1000}ms"
    return f"{text}{micros}us" if micros else text or "0s"


def show_size(value: int) -> str:
    """Write bytes in the largest unit that loses nothing: 536870912 is `512m`."""
    for unit, power in (("g", 3), ("m", 2), ("k", 1)):
        if value and value % 1024**power == 0:
            return f"{value // 1024**power}{unit}"
    return str(value)
