"""Work that outlives the hook that began it.

The hook forks. The child, in a session of its own, does the work and tells of
it through a pipe; the parent passes that on to Git and so to the client. When
the client goes away, the parent says so with SIGHUP; the child decides.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from geartrain.engine.descent import signal_on_parent_death
from geartrain.errors import Exit

if TYPE_CHECKING:
    from typing_extensions import Buffer

PATIENCE = 5.0  # seconds that the parent may take to read a line
LOOK_EVERY = 1.0  # seconds between two looks whether the client is there
END = b"\0"  # before the exit code, as the last thing in the pipe


class Telling(io.RawIOBase):
    """Bytes for the parent; it is of no consequence when there is none any more."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, data: Buffer, /) -> int:
        """Pass bytes on, if anybody reads them."""
        left = memoryview(data).cast("B")
        size = len(left)
        with contextlib.suppress(OSError):
            # A parent that is stuck itself must not hold up a release.
            while left and select.select([], [self._fd], [], PATIENCE)[1]:
                left = left[os.write(self._fd, left) :]
        return size


def text(fd: int) -> TextIO:
    """The same for text, a line at a time."""
    return io.TextIOWrapper(
        io.BufferedWriter(Telling(fd)), encoding="utf-8", errors="replace", line_buffering=True
    )


def run(work: Callable[[Callable[[int], None]], None], gone: Callable[[], bool]) -> int:
    """Do some work in a child that may go on by itself.

    Args:
        work: runs in the child. Calls its argument once with the exit code,
            after which the parent leaves; what it does then is its own affair.
        gone: whether whoever this is for has gone away.

    Returns:
        The exit code.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child:
        os.close(writing)
        return _relay(child, reading, gone)
    try:
        os.close(reading)
        os.set_blocking(writing, False)
        _be_alone(writing, parent)
        told = False

        def tell(code: int) -> None:
            nonlocal told
            told = True
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal_on_parent_death(0)
            Telling(writing).write(END + str(code).encode())
            with contextlib.suppress(OSError):
                os.close(writing)

        work(tell)
        if not told:
            tell(int(Exit.FAILED))
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def leave(work: Callable[[], None]) -> None:
    """Have some work done by a child that nobody waits for."""
    sys.stdout.flush()
    sys.stderr.flush()
    if os.fork():
        return
    try:
        os.setsid()
        if os.fork():  # the work is init's child, and no zombie of this process's
            os._exit(0)
        _say_nothing()
        work()
        os._exit(0)
    except BaseException:
        os._exit(1)


def _say_nothing() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    os.close(nothing)


def _be_alone(writing: int, parent: int) -> None:
    os.setsid()
    signal_on_parent_death(signal.SIGHUP)
    if os.getppid() != parent:  # it died before that was asked for
        os.kill(os.getpid(), signal.SIGHUP)
    _say_nothing()
    sys.stderr = sys.stdout = text(writing)


def _relay(child: int, reading: int, gone: Callable[[], bool]) -> int:
    """Pass on what the child says until it is done; tell it when nobody listens."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    said = b""
    try:
        while True:
            if not _readable(reading):
                if gone():
                    raise BrokenPipeError
                continue
            if not (data := os.read(reading, 65536)):
                break
            said = (said + data)[-64:]
            os.write(2, data.partition(END)[0])
    except (OSError, KeyboardInterrupt):
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGHUP)
        return 130
    _, mark, code = said.rpartition(END)
    if mark and code.isdigit():
        return int(code)
    os.write(2, b"error: the release was interrupted; `gear converge` says what runs\n")
    return int(Exit.FAILED)


def _readable(reading: int) -> bool:
    """Wait a while for something to read."""
    return bool(select.select([reading], [], [], LOOK_EVERY)[0])
