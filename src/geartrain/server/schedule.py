"""The process that starts an app's jobs when they are due. It sleeps in between.

Each run is `gear job run`, a process of its own: it holds the job's lock, so that
no job runs twice at once, and notes how it went. What was due while this did not
run is not made up for, as with cron.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from geartrain.engine import aside
from geartrain.engine.docker import jobs
from geartrain.engine.schedule import next_run
from geartrain.errors import GearError
from geartrain.server.app import ServerApp
from geartrain.server.host import ServerHost
from geartrain.server.jobs import scheduled, surroundings

# Sleep is counted in seconds, and somebody may set the clock meanwhile.
LONGEST = 3600.0
LOG_SIZE = 2**20  # bytes of its log, of which one older is kept
TRIES = 50


def main() -> None:
    """Run it: the host's folder, the app's name, and the lock's descriptor."""
    folder, name, fd = sys.argv[1:]
    for harmless in (signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(harmless, signal.SIG_IGN)  # also: nobody waits for what was started
    signal.pthread_sigmask(signal.SIG_BLOCK, [aside.WAKE])
    held: int | None = int(fd)
    try:
        app = ServerApp(ServerHost(Path(folder)), name)
        lock = app.folder / "run" / jobs.LOCK
        while held is not None:
            keep(app)
            os.close(held)
            # Whoever wanted something in this very moment saw somebody at work.
            held = _again(lock) if scheduled(app) else None
    except GearError:
        return  # the app, or the host, is gone


def keep(app: ServerApp) -> None:
    """Start jobs when they are due, until there are none."""
    due: dict[tuple[str, str], float] = {}
    while wanted := scheduled(app):
        now = time.time()
        due = {job: due.get(job) or next_run(job[1], now) for job in wanted.items()}
        for job, at in due.items():
            if at <= now:
                _start(app, job[0])
                due[job] = next_run(job[1], now)
        left = min(due.values()) - time.time()
        signal.sigtimedwait([aside.WAKE], min(max(left, 0.0), LONGEST))


def _start(app: ServerApp, service: str) -> None:
    log = app.folder / "logs" / "jobs.log"
    if log.exists() and log.stat().st_size > LOG_SIZE:
        log.replace(log.with_name("jobs.log.1"))
    words: list[str | Path] = [
        "geartrain",
        "job",
        "run",
        "--quiet",
        "--app",
        app.name,
        "--host-dir",
        app.host.folder,
    ]
    aside.start([*words, "--", service], log, env=surroundings())


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
