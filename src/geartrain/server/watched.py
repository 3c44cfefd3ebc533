"""What the monitor has to know of an app, whether it is pushed or a project's own."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from geartrain.engine.home import Home
from geartrain.engine.protocol import Engine
from geartrain.release.history import Desired
from geartrain.release.ledger import DiskLedger
from geartrain.server import branch, halting, jobs
from geartrain.server.app import ServerApp


class Watched(Protocol):
    """An app whose live release is watched."""

    @property
    def repository(self) -> Path:
        """Where its history is."""
        ...

    def exists(self) -> bool:
        """False once there is nothing more to watch."""
        ...

    def watching(self) -> AbstractContextManager[None]:
        """Be the only one who watches its releases; waits for the one before."""
        ...

    def home(self) -> Home:
        """Its home."""
        ...

    def ledger(self, home: Home) -> DiskLedger:
        """Its history and kept releases."""
        ...

    def engine(self, home: Home, number: int) -> Engine:
        """What runs it, for work on a release."""
        ...

    def went_back(self, desired: Desired) -> None:
        """Another release is live now."""
        ...


class Pushed:
    """An app of a host that takes pushes.

    Args:
        app: the app.
    """

    def __init__(self, app: ServerApp) -> None:
        self._app = app
        self.repository = app.repository
        self._halted = halting.last(app.host.folder)

    def exists(self) -> bool:
        """False once it was destroyed, or its host was stopped since this was made."""
        halted = halting.last(self._app.host.folder)
        return self._app.exists() and halted in (None, self._halted)

    def watching(self) -> AbstractContextManager[None]:
        """Be the only one who watches its releases; waits for the one before."""
        return self._app.watching()

    def home(self) -> Home:
        """Its home."""
        return self._app.home()

    def ledger(self, home: Home) -> DiskLedger:
        """Its history and kept releases; the journal is told, too."""
        return self._app.ledger(home)

    def engine(self, home: Home, number: int) -> Engine:
        """What runs it; a release's files are those of its checkout."""
        home.project = home.releases / str(number) / "src"
        return self._app.engine(home)

    def went_back(self, desired: Desired) -> None:
        """The branch follows, and so do jobs."""
        branch.follow(self._app.repository, self._app.ref, desired)
        jobs.attend(self._app)
