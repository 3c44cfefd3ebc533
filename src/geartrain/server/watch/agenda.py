"""When the jobs of a host's apps are due, and what starts them.

Each run is `gear job run`, a process of its own: it holds the job's lock, so that
no job runs twice at once, and notes how it went. What was due while nobody was
here is not made up for, as with cron.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from geartrain.engine import aside
from geartrain.engine.schedule import next_run
from geartrain.server import jobs
from geartrain.server.watch.book import Wanted

LOG_SIZE = 2**20  # bytes of a log, of which one older is kept


class Agenda:
    """The jobs that are to be started, and when. Times are Unix seconds.

    Args:
        host: the host's folder.
    """

    def __init__(self, host: Path) -> None:
        self._host = host
        self._due: dict[tuple[str, str, str], float] = {}

    def start_due(self, wanted: Mapping[str, Wanted], now: float) -> float | None:
        """Start what is due.

        Args:
            wanted: what should run, by app.
            now: the time.

        Returns:
            When the next one is due; None when there are no jobs.
        """
        every = [
            (app, name, cron) for app, one in wanted.items() for name, cron in one.jobs.items()
        ]
        self._due = {job: self._due.get(job) or next_run(job[2], now) for job in every}
        for job, at in self._due.items():
            if at <= now:
                self._start(job[0], job[1])
                self._due[job] = next_run(job[2], now)
        return min(self._due.values(), default=None)

    def _start(self, app: str, service: str) -> None:
        folder = self._host / "apps" / app
        with jobs.at_hand(folder) as there:
            if there:
                words: list[str | Path] = ["job", "run", "--quiet", "--app", app]
                begin(folder / "logs" / "jobs.log", *words, "--host-dir", self._host, "--", service)


def begin(log: Path, *words: str | Path, module: str = "geartrain") -> int:
    """Start a part of Geartrain that nobody waits for. Returns its pid."""
    if log.exists() and log.stat().st_size > LOG_SIZE:
        log.replace(log.with_name(f"{log.name}.1"))
    return aside.start([module, *words], log, env=jobs.surroundings())


def reap() -> dict[int, int]:
    """What was started and has ended, by pid, with its exit code."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if not pid:
            return ended
        ended[pid] = os.waitstatus_to_exitcode(status)
