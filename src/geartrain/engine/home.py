"""An app's home on a host: where its releases, history, logs and data are, and the lock on it.

What every engine keeps there is named here; an engine adds what only it needs.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from geartrain import run
from geartrain.engine.memory import Memory
from geartrain.engine.orphans import end_orphans
from geartrain.errors import Exit, GearError


class Home:
    """Paths of one app's state, and the right to change it.

    Args:
        project: folder of the Compose file that is released from here.
        folder: where the state is.
        untracked: where relative bind mounts live that are not in Git, such as
            `./data`; default the project's folder, as in Compose.
    """

    memory: Memory | None = None
    """Where secrets lie that instances are given as files; on a private host with its state."""

    def __init__(self, project: Path, folder: Path, untracked: Path | None = None) -> None:
        self.project = project.resolve()
        self.folder = folder
        self.untracked = untracked or self.project
        self.logs = folder / "logs"
        self.run = folder / "run"
        self.repository = folder / "repo.git"
        self.releases = folder / "releases"
        self.credentials = folder / "credentials.json"

    def private(self, part: str) -> Path:
        """A folder for what has secrets in it, in memory where that is possible.

        Args:
            part: of what, such as `releases/7`. On a disk it is that in the folder of state.

        Raises:
            GearError: it cannot be used.
        """
        folder = self.memory.folder(part) if self.memory else None
        if folder is None:
            folder = self.folder / part
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        return folder

    def forget(self, part: str = "") -> None:
        """Delete what is in memory of a part, or of all of the app."""
        if self.memory:
            self.memory.forget(part)

    def forget_releases(self, kept: Collection[int | None]) -> None:
        """Delete what is in memory of releases, but of those that are kept."""
        for name in self.memory.parts("releases") if self.memory else ():
            if not name.isdecimal() or int(name) not in kept:
                self.forget(f"releases/{name}")

    @contextmanager
    def lock(self, doing: str, say: object = None, *, wait: bool = True) -> Iterator[None]:
        """Be the only one who changes this app here.

        Args:
            doing: what the others are told is going on, such as `gear up`.
            say: called with a sentence when there is somebody to wait for.
            wait: wait for them, or raise at once.

        Raises:
            GearError: somebody else changes it, and `wait` is not set.
        """
        fd = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                who = _holder(fd)[0] or "somebody"
                if not wait:
                    raise GearError(
                        f"{who} is at work here", where=str(self.project), code=Exit.BUSY
                    ) from None
                if callable(say):
                    say(f"waiting for {who}")
                fcntl.flock(fd, fcntl.LOCK_EX)
            killed = _holder(fd)[1]  # whoever ends in order leaves no name
            if killed not in ("", run.CALLER):
                end_orphans(killed)
            os.ftruncate(fd, 0)
            since = time.strftime("%H:%M:%S")
            text = f"{doing} (pid {os.getpid()}, since {since})\n{run.CALLER}\n"
            os.pwrite(fd, text.encode(), 0)
            try:
                yield
            except GearError:
                os.ftruncate(fd, 0)
                raise
            os.ftruncate(fd, 0)
        finally:
            os.close(fd)


def _holder(fd: int) -> tuple[str, str]:
    """Who holds the lock, as people and as `geartrain.run` say it."""
    lines = os.pread(fd, 400, 0).decode(errors="replace").splitlines()
    said, caller = (*lines, "", "")[:2]
    return said, caller
