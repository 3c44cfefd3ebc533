"""What is to be started when, for an app's live release, and whose process sees to it.

The embedded engine's supervisor starts jobs itself. On a host with Docker one
process does, for all its apps: the watcher (`geartrain.server.watch`) where systemd
keeps one, else a small one (`geartrain.server.schedule`) that begins with the first
job and ends with the last. Both follow what is live, and hold the same lock.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from geartrain.engine import aside
from geartrain.engine.docker import jobs
from geartrain.errors import GearError
from geartrain.server.host import EngineKind
from geartrain.server.watch import book

if TYPE_CHECKING:
    from geartrain.server.app import ServerApp

ENDS_WITHIN = 30.0  # seconds
AGAIN = 0.02
AT_HAND = "at-hand.lock"
# What the caller has of Git, Geartrain and SSH is about his command alone.
_LEFT_OUT = ("GIT_", "GEAR_", "SSH_")


def scheduled(app: ServerApp) -> dict[str, str]:
    """The jobs of what is live, with their cron expressions; none of an app that is stopped."""
    if not app.exists():
        return {}
    found = book.wanted(app.folder)
    return found.jobs if found else {}


def attend(app: ServerApp) -> None:
    """Have the jobs of what is live started when they are due, and nothing else."""
    if app.host.facts.engine is not EngineKind.DOCKER:
        return
    lock = app.host.folder / jobs.LOCK
    if (fd := aside.take(lock)) is None:
        aside.wake(lock)
        return
    try:
        if scheduled(app):
            words: list[str | Path] = ["geartrain.server.schedule", app.host.folder]
            aside.start(words, app.host.folder / "jobs.log", lock=fd, env=surroundings())
    finally:
        os.close(fd)


def end(app: ServerApp) -> None:
    """Wait until nobody is about to start jobs of an app that is gone, or waits for one.

    Raises:
        GearError: somebody still does.
    """
    run = app.folder / "run"
    aside.wake(app.host.folder / jobs.LOCK)
    end = time.monotonic() + ENDS_WITHIN
    for lock in (run / AT_HAND, *run.glob("job-*.lock")):
        while lock.exists() and aside.held(lock):
            if time.monotonic() > end:
                raise GearError(
                    "a job is still waited for", where=str(lock), remedy="try again in a while"
                )
            time.sleep(AGAIN)


@contextmanager
def at_hand(folder: Path) -> Iterator[bool]:
    """Have an app stay for a moment, in which something of it is started.

    Args:
        folder: the app's.

    Returns:
        Whether it is there: not when it was destroyed.
    """
    try:
        fd = aside.take(folder / "run" / AT_HAND)
    except OSError:
        yield False
        return
    if fd is None:  # somebody else starts something of it
        yield False
        return
    try:
        yield (folder / "app.json").exists()
    finally:
        os.close(fd)


def surroundings() -> dict[str, str]:
    """The environment of a process that outlives its caller."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}
