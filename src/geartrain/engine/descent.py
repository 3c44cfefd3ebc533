"""Linux process facts and controls: descendants, subreaper, parent-death signal.

See prctl(2), proc(5). Everything here works without privileges.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def become_subreaper() -> None:
    """Adopt descendants whose parents end, instead of leaving them to init."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def signal_on_parent_death(number: int) -> None:
    """Have the kernel signal this process when the thread that started it ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)


def children(pid: int) -> list[int]:
    """Direct children of a process; none when it has ended."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += [int(word) for word in (task / "children").read_text().split()]
    return found


def descendants(pid: int) -> list[int]:
    """All processes below one, nearest first."""
    found = children(pid)
    for child in found:
        found += descendants(child)
    return found


def state(pid: int) -> str:
    """The kernel's letter for a process's state ("" when it is gone, Z for a zombie)."""
    return next(iter(_stat(pid)), "")


def began(pid: int) -> int:
    """When a process began, in clock ticks since the machine did; 0 when it is gone.

    Its number alone may be another's by the next look (proc(5), starttime).
    """
    return int(words[19]) if (words := _stat(pid)) else 0


def _stat(pid: int) -> list[str]:
    """What the kernel says of a process, from its state on; nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def send(pids: list[int], number: int) -> None:
    """Signal processes, passing over those that have gone."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def end_all_below(pid: int, grace: float) -> None:
    """End every descendant of this process: SIGTERM, then SIGINT, then SIGKILL.

    SIGINT in the middle is for PostgreSQL, which on SIGTERM waits for its
    clients (its "smart" shutdown).

    Args:
        pid: this process (it must be a subreaper, and reaps here).
        grace: seconds between the first signal and SIGKILL.
    """
    started = time.monotonic()
    stages = [(0.0, signal.SIGTERM), (min(0.5, grace / 2), signal.SIGINT), (grace, signal.SIGKILL)]
    while True:
        _reap()
        left = [child for child in descendants(pid) if state(child) not in ("", "Z")]
        if not left:
            _reap()
            return
        if stages and time.monotonic() - started >= stages[0][0]:
            send(left, stages.pop(0)[1])
        elif not stages:
            send(left, signal.SIGKILL)
        signal.sigtimedwait([signal.SIGCHLD], 0.05)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
