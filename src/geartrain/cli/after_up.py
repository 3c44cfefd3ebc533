"""After `gear up`: the monitor watches a release whose Compose file names for how long."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from geartrain import durable
from geartrain.app.release import Release
from geartrain.cli.output import note
from geartrain.cli.place import Place
from geartrain.cli.progress import Progress
from geartrain.cli.session import engine_of
from geartrain.engine.embedded.host import Host
from geartrain.engine.embedded.supervisor.client import connect
from geartrain.engine.home import Home
from geartrain.engine.protocol import Engine
from geartrain.errors import GearError
from geartrain.release.deploy import Result
from geartrain.release.history import Desired
from geartrain.release.ledger import DiskLedger

LOCK = "monitor.lock"


class Private:
    """The app of a project's private host, as the monitor knows it.

    Args:
        project: folder of the Compose file.
        ended: set when whoever watches leaves.
    """

    def __init__(self, project: Path, ended: threading.Event | None = None) -> None:
        self._project = project
        self._ended = ended or threading.Event()
        self.repository = Host(project).repository

    def exists(self) -> bool:
        """False once it was stopped."""
        client = None if self._ended.is_set() else connect(Host(self._project).run)
        if client is None:
            return False
        client.close()
        return True

    def watching(self) -> AbstractContextManager[None]:
        """Be the only one who watches its releases; waits for the one before."""
        return durable.alone(Host(self._project).folder / LOCK)

    def home(self) -> Home:
        """Its home."""
        return Host(self._project)

    def ledger(self, home: Home) -> DiskLedger:
        """Its history and kept releases."""
        return DiskLedger(home)

    def engine(self, home: Home, _: int) -> Engine:
        """What runs it."""
        if not isinstance(home, Host):
            raise TypeError("a private host is the embedded engine's")
        return engine_of(home)

    def went_back(self, desired: Desired) -> None:
        """Nothing follows."""


def asked(release: Release) -> bool:
    """Whether a release's Compose file names how long it is to be watched."""
    return any(s.update.monitor for s in release.app.services.values() if s.stateless)


def watch(
    host: Host, result: Result, known: Mapping[str, int], ended: threading.Event | None = None
) -> None:
    """Have a release watched that got live just now, if its Compose file asks for that.

    Args:
        host: the host.
        result: what came of the release.
        known: restarts of its instances at the switch.
        ended: set when this process, which stays, leaves; None for one that leaves now.
    """
    if not result.session.new or not asked(result.release):
        return
    from geartrain.server import detached, monitor

    number = result.release.number
    if ended is None:
        detached.leave(lambda: monitor.watch(Private(host.project), number, known))
        return
    arguments = (host, number, known, ended)
    threading.Thread(target=_aloud, args=arguments, daemon=True).start()


def _aloud(host: Host, number: int, known: Mapping[str, int], ended: threading.Event) -> None:
    """Watch for somebody who sits here."""
    from geartrain.cli import trouble
    from geartrain.server import monitor

    app = Private(host.project, ended)
    seen = app.ledger(host).events()[:1]
    with suppress(GearError):  # the supervisor ended: nothing is left to watch
        monitor.watch(app, number, known, Progress())
        now = app.ledger(host).events()[:1]
        if now != seen and now[0].via == monitor.VIA:
            note("")
            trouble.tell(Place(name=host.project.name, home=host))
