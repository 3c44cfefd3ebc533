"""Small processes that outlive the command which starts them; one of a kind at a time.

Each holds a lock from before it runs until it has ended, and its pid is written
there. One that was killed is noticed by that: nobody holds the lock.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from geartrain.engine.giving_way import pass_on

# One that does no harm to a process that does not wait for it yet: it has yet to look at all.
WAKE = signal.SIGURG
AGAIN = 0.001  # seconds


def take(lock: Path) -> int | None:
    """The descriptor of a lock, or None while another process has it.

    Who only looks has it, too, for a moment, but not alone: that one is waited for.
    """
    fd = _open(lock)
    while not _try(fd, fcntl.LOCK_EX):
        if not _try(fd, fcntl.LOCK_SH):
            os.close(fd)
            return None
        fcntl.flock(fd, fcntl.LOCK_UN)
        time.sleep(AGAIN)
    return fd


def held(lock: Path) -> bool:
    """Whether a process holds a lock."""
    fd = _open(lock)
    try:
        return not _try(fd, fcntl.LOCK_SH)
    finally:
        os.close(fd)


def _open(lock: Path) -> int:
    return os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _try(fd: int, how: int) -> bool:
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def pid(lock: Path) -> int:
    """Whose lock it is; 0 when nobody wrote so."""
    said = lock.read_text().strip() if lock.exists() else ""
    return int(said) if said.isdecimal() else 0


def wake(lock: Path) -> None:
    """Have whoever holds a lock look again, if anybody does."""
    if lock.exists() and held(lock) and (who := pid(lock)):
        try:
            os.kill(who, WAKE)
        except ProcessLookupError:
            return  # it has just ended


def start(
    words: Sequence[str | Path], log: Path, *, lock: int | None = None,
    env: Mapping[str, str] | None = None,
) -> int:  # fmt: skip
    """Start a module of Geartrain in a session of its own, and do not wait for it.

    Args:
        words: the module's name and its arguments.
        log: where its errors go.
        lock: descriptor of the lock that it takes over: nobody sees it free in between. Its
            number is the last argument then, and the caller closes its own.
        env: its whole environment; default this process's own.

    Returns:
        Its pid.
    """
    if lock is not None:
        os.ftruncate(lock, 0)  # the pid of the one before is anybody's by now
    with log.open("ab") as errors:
        started = subprocess.Popen(
            [
                sys.executable,
                *(["-I"] if sys.flags.isolated else []),
                "-m",
                *words,
                *([] if lock is None else [str(lock)]),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
            cwd="/",
            env=env,
            pass_fds=[] if lock is None else [lock],
        )
    started.returncode = 0  # it outlives this process on purpose
    if lock is not None:  # before anything that takes a while: it may have to be woken
        os.pwrite(lock, f"{started.pid}\n".encode(), 0)
    pass_on(started.pid)
    return started.pid
