"""`python -m geartrain.server.watch HOST`: what `gear host watch` becomes."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from geartrain.engine import aside
from geartrain.engine.docker import jobs
from geartrain.errors import Exit, GearError
from geartrain.server.host import EngineKind, ServerHost
from geartrain.server.watch.notify import Notify
from geartrain.server.watch.watcher import Watcher

LOCK = "watch.lock"
TAKES_OVER_WITHIN = 10.0  # seconds
AGAIN = 0.02
STARTER = b"geartrain.server.schedule"


def main() -> None:
    """Watch a host until a signal ends it."""
    notify = Notify(os.environ)
    try:
        watch(ServerHost(Path(sys.argv[1])), notify)
    except GearError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(int(error.code))


def watch(host: ServerHost, notify: Notify) -> None:
    """Watch a host; the only one who does.

    Raises:
        GearError: somebody else does, or its engine sees to that itself.
    """
    if host.facts.engine is not EngineKind.DOCKER:
        raise GearError(
            "this host's engine watches its apps itself",
            where=str(host.folder),
            remedy="`gear host watch` is for hosts with Docker",
        )
    fd = aside.take(host.folder / LOCK)
    if fd is None:
        who = aside.pid(host.folder / LOCK)
        raise GearError(
            f"a watcher is at work here already{f' (pid {who})' if who else ''}",
            where=str(host.folder),
            code=Exit.BUSY,
        )
    starts = _take_over(host.folder / jobs.LOCK)
    for held in (fd, starts):
        os.ftruncate(held, 0)
        os.pwrite(held, f"{os.getpid()}\n".encode(), 0)
    Watcher(host, notify).run()


def _take_over(lock: Path) -> int:
    """The lock of whoever starts jobs, who ends; what he started goes on by itself.

    Raises:
        GearError: he does not end.
    """
    end = time.monotonic() + TAKES_OVER_WITHIN
    while (fd := aside.take(lock)) is None:
        who = aside.pid(lock)
        if time.monotonic() > end:
            raise GearError("somebody else starts jobs here", where=str(lock), code=Exit.BUSY)
        if who and _starts_jobs(who):
            try:
                os.kill(who, signal.SIGTERM)
            except ProcessLookupError:
                continue
        time.sleep(AGAIN)
    return fd


def _starts_jobs(pid: int) -> bool:
    try:
        return STARTER in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


if __name__ == "__main__":
    main()
