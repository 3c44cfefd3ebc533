"""Small processes that outlive the command which starts them; one of a kind at a time.

Each holds a lock from before it runs until it has ended, and its pid is written
there. One that was killed is noticed by that: nobody holds the lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from geartrain.engine.giving_way import pass_on
from geartrain.run import call_anew

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


def hand_over(work: Callable[[], object], log: Path, lock: int, title: str) -> None:
    """Have a copy of this process do something in a session of its own, and do not wait for it.

    For what is due while requests are moved from one release to the next: a process that begins
    anew loads all that this one has loaded, and they wait for the processor meanwhile.

    Args:
        work: what it does. Nothing that was open in this process is open in the copy.
        log: where its errors go.
        lock: descriptor of the lock that it takes over, as for `start`; it stays open there.
        title: its name among the processes, at most 15 characters (proc(5), comm).
    """
    os.ftruncate(lock, 0)
    if child := os.fork():
        os.waitpid(child, 0)  # it has written down whose the lock is now
        return
    try:
        os.setsid()
        if heir := os.fork():  # the work is init's child, and no zombie of this process's
            os.pwrite(lock, f"{heir}\n".encode(), 0)
            os._exit(0)
        gc.freeze()  # what refers to files of this process must not close those of the copy
        _begin_anew(log, lock)
        call_anew()  # what it starts is not of a command that was killed
        _become(title)
        pass_on(os.getpid())
        work()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def _begin_anew(log: Path, lock: int) -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDWR)
    errors = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    for fd, to in ((nothing, 0), (nothing, 1), (errors, 2)):
        os.dup2(fd, to)
    for fd in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        if fd > 2 and fd != lock:
            with contextlib.suppress(OSError):  # the one that read the folder
                os.close(fd)
    sys.stdout = sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)


def _become(title: str) -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(title)
