"""What `up`, `plan` and `check` need of a project: its source, and the engine of its own host."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from geartrain.app.model import MountKind
from geartrain.app.release import Release
from geartrain.engine.embedded.engine import EmbeddedEngine
from geartrain.engine.embedded.host import Host
from geartrain.load import Loaded, load
from geartrain.release import session, snapshot
from geartrain.release.ledger import DiskLedger, Source
from geartrain.release.session import Session

__all__ = ["Load", "Loaded", "engine_of", "prepare", "read"]

Load = Callable[[], Loaded]


def read(project: Path, files: Sequence[Path], profiles: Sequence[str]) -> Loaded:
    """Load and check the project's Compose file."""
    return load(project, files=files, profiles=profiles, environ=os.environ)


def engine_of(host: Host) -> EmbeddedEngine:
    """The engine of a private host."""

    def check_out(release: Release, folder: Path) -> None:
        snapshot.check_out(host.repository, release.commit, folder)

    return EmbeddedEngine(host, os.environ, check_out)


def prepare(host: Host, loaded: Loaded) -> tuple[Session, Source]:
    """Snapshot the source, see what runs, and plan. The caller holds the host's lock.

    Raises:
        GearError: this machine cannot run it; nothing was changed.
    """
    ledger = DiskLedger(host)
    app = loaded.app
    named = [
        mount.source
        for service in app.services.values()
        for mount in service.mounts
        if mount.kind is MountKind.BIND and mount.read_only
    ]
    named += [folder for s in app.services.values() for folder in s.gear.static.values()]
    source = Source(tree=snapshot.take(host.repository, host.project, named))
    desired = ledger.desired()
    release = ledger.choose(app, source, desired, summary=f"by {getpass.getuser()}")
    engine = engine_of(host)
    return session.prepare(release, engine, ledger, desired, notices=loaded.notices), source
