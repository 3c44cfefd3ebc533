"""Processes that an instance left behind when it ended.

As a subreaper the supervisor becomes their parent. They are told apart from
its own children by not being among those it started, and belong to the
instance whose session they share, whose mark they carry, or, where a program
overwrites both (PostgreSQL), whose binary they run.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from geartrain.engine.descent import children, descendants, send

MARK = "GEAR_INSTANCE"


def end_strays(name: str, session: int, binary: str, known: set[int]) -> None:
    """Kill what the instance `name` left behind.

    Args:
        name: the instance's name, as in its `GEAR_INSTANCE` variable.
        session: its session, which is the pid of its ended main process.
        binary: path of its program when only one instance runs that, else "".
        known: pids that the supervisor started and still watches.
    """
    mark = f"{MARK}={name}".encode()
    for pid in children(os.getpid()):
        if pid in known:
            continue
        if _session(pid) == session or mark in _environment(pid) or _runs(pid, binary):
            send([pid, *descendants(pid)], signal.SIGKILL)


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return -1


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _runs(pid: int, binary: str) -> bool:
    try:
        return bool(binary) and Path(f"/proc/{pid}/exe").readlink() == Path(binary)
    except OSError:
        return False
