"""Log files of a private host: one a service, a line a record, rotated by size.

A line is `2026-11-22T23:09:34.123Z web.7.1 text`. Written by the supervisor
only; read by anyone.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import BinaryIO

MAX_BYTES = 10 * 1024 * 1024
KEPT = 5
LONGEST_LINE = 64 * 1024


def stamp(now: float) -> str:
    """A Unix time as RFC 3339 in UTC with milliseconds."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    return f"{whole}.{int(now * 1000) % 1000:03d}Z"


def shift(path: Path, kept: int = KEPT) -> None:
    """Move a log file aside: `web.log` becomes `web.log.1`, the oldest goes."""
    for number in range(kept - 1, 0, -1):
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}.{number}").replace(f"{path}.{number + 1}")
    with contextlib.suppress(FileNotFoundError):
        path.replace(f"{path}.1")


class LogFile:
    """The log of one service."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self.path = path
        self._max = max_bytes
        self._file: BinaryIO | None = None
        self._size = 0

    def write(self, data: bytes) -> None:
        """Append whole lines. A disk that is full loses lines, never the service."""
        with contextlib.suppress(OSError):
            if self._file is None:
                self._file = self.path.open("ab", buffering=0)
                self._size = self._file.tell()
            self._size += self._file.write(data)
            if self._size > self._max:
                self.close()
                shift(self.path)

    def close(self) -> None:
        """Close the file; the next write opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None


class Lines:
    """Cuts a stream of bytes into stamped lines."""

    def __init__(self, name: str) -> None:
        self._name = name.encode()
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Whole lines that this data completes; an endless line is cut."""
        parts = (self._rest + data).split(b"\n")
        self._rest = parts.pop()
        if len(self._rest) > LONGEST_LINE:
            parts.append(self._rest)
            self._rest = b""
        if not parts:
            return []
        head = stamp(time.time()).encode() + b" " + self._name + b" "
        return [head + part.rstrip(b"\r") + b"\n" for part in parts]

    def flush(self) -> list[bytes]:
        """The unfinished last line, when the stream has ended."""
        return self.feed(b"\n") if self._rest else []
