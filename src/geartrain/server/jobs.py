"""What is to be started when, for an app's live release, and whose process sees to it.

The embedded engine's supervisor starts jobs itself. On a host with Docker a
small process does (`geartrain.server.schedule`), one an app with jobs: it
follows what is live, and ends when nothing of it is to be started any more.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from geartrain.app.model import Role
from geartrain.engine import aside
from geartrain.engine.docker import jobs
from geartrain.engine.docker.host import DockerHome
from geartrain.errors import GearError
from geartrain.server.app import ServerApp

ENDS_WITHIN = 30.0  # seconds
AGAIN = 0.02
# What the caller has of Git, Geartrain and SSH is about his command alone.
_LEFT_OUT = ("GIT_", "GEAR_", "SSH_")


def scheduled(app: ServerApp) -> dict[str, str]:
    """The jobs of what is live, with their cron expressions; none of an app that is stopped."""
    if not app.exists():
        return {}
    ledger = app.ledger(app.home())
    desired = ledger.desired()
    release = ledger.read(None if desired.stopped else desired.live)
    services = release.app.of_role(Role.JOB) if release else ()
    return {s.name: s.gear.schedule for s in services if s.gear.schedule is not None}


def attend(app: ServerApp) -> None:
    """Have the jobs of what is live started when they are due, and nothing else."""
    home = app.home()
    if not isinstance(home, DockerHome):
        return
    lock = home.run / jobs.LOCK
    if (fd := aside.take(lock)) is None:
        aside.wake(lock)
        return
    try:
        if scheduled(app):
            words: list[str | Path] = ["geartrain.server.schedule", app.host.folder, app.name]
            aside.start(words, home.logs / "jobs.log", lock=fd, env=surroundings())
    finally:
        os.close(fd)


def end(app: ServerApp) -> None:
    """Wait until nobody starts jobs of an app that is gone, or waits for one.

    Raises:
        GearError: somebody still does.
    """
    run = app.folder / "run"
    aside.wake(run / jobs.LOCK)
    end = time.monotonic() + ENDS_WITHIN
    for lock in (run / jobs.LOCK, *run.glob("job-*.lock")):
        while lock.exists() and aside.held(lock):
            if time.monotonic() > end:
                raise GearError(
                    "a job is still waited for", where=str(lock), remedy="try again in a while"
                )
            time.sleep(AGAIN)


def surroundings() -> dict[str, str]:
    """The environment of a process that outlives its caller."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}
