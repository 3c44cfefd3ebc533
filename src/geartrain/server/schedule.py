"""The process that starts a host's jobs when they are due. It sleeps in between.

It is for hosts that nobody watches: the watcher does the same, and takes over from it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from geartrain.engine import aside
from geartrain.engine.docker import jobs
from geartrain.errors import GearError
from geartrain.server.host import ServerHost
from geartrain.server.watch.agenda import Agenda
from geartrain.server.watch.book import Book

# Sleep is counted in seconds, and somebody may set the clock meanwhile.
LONGEST = 3600.0
TRIES = 50


def main() -> None:
    """Run it: the host's folder, and the lock's descriptor."""
    folder, fd = sys.argv[1:]
    for harmless in (signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(harmless, signal.SIG_IGN)  # also: nobody waits for what was started
    signal.pthread_sigmask(signal.SIG_BLOCK, [aside.WAKE])
    held: int | None = int(fd)
    try:
        host = ServerHost(Path(folder))
        lock = host.folder / jobs.LOCK
        while held is not None:
            keep(host)
            os.close(held)
            # Whoever wanted something in this very moment saw somebody at work.
            wanted = Book(host.apps).read().values()
            held = _again(lock) if any(one.jobs for one in wanted) else None
    except GearError:
        return  # the host is gone


def keep(host: ServerHost) -> None:
    """Start jobs when they are due, until there are none."""
    book, agenda = Book(host.apps), Agenda(host.folder)
    while (due := agenda.start_due(book.read(), time.time())) is not None:
        left = due - time.time()
        signal.sigtimedwait([aside.WAKE], min(max(left, 0.0), LONGEST))


def _again(lock: Path) -> int | None:
    """The lock once more, unless another process has begun; who only looks has it for a moment."""
    for _ in range(TRIES):
        if (fd := aside.take(lock)) is not None:
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
            return fd
        time.sleep(0.01)
    return None


if __name__ == "__main__":
    main()
