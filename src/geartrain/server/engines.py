"""Which engine runs an app, and the home that it needs."""

from __future__ import annotations

import contextlib
import importlib
from pathlib import Path

from geartrain.app.release import Release
from geartrain.engine.home import Home
from geartrain.engine.memory import Memory
from geartrain.engine.protocol import Engine
from geartrain.engine.values import Values
from geartrain.errors import GearError
from geartrain.release import snapshot
from geartrain.server.host import EngineKind


def default() -> EngineKind:
    """Docker where a daemon answers, else the embedded engine."""
    from geartrain.engine.docker.client import daemon

    try:
        daemon()
    except GearError:
        return EngineKind.EMBEDDED
    return EngineKind.DOCKER


def warm_up(kind: EngineKind) -> None:
    """Load an engine's code ahead of its use, and find out what takes a while to find out."""
    importlib.import_module(f"geartrain.engine.{kind}.engine")
    if kind is EngineKind.DOCKER:
        from geartrain.engine.docker.client import client

        with contextlib.suppress(GearError):  # whoever needs one is told
            client()


def home_of(
    kind: EngineKind, name: str, project: Path, folder: Path, untracked: Path, shared: Path
) -> Home:
    """An app's home, made where it is missing.

    Args:
        kind: the host's engine.
        name: the app's name on the host; no two homes have the same.
        project: the checkout that is worked on.
        folder: the app's folder of state.
        untracked: where its relative bind mounts live that are not in Git.
        shared: the host's folder, for what apps share.
    """
    if kind is EngineKind.EMBEDDED:
        from geartrain.engine.embedded.host import Host

        host = Host(folder, folder, untracked)
        host.create()
        host.project = project.resolve()
        host.memory = Memory(shared, name)
        host.envs = shared / "envs"
        host.envs.mkdir(mode=0o700, exist_ok=True)
        return host
    from geartrain.engine.docker.host import DockerHome, DockerHost

    home = DockerHome(DockerHost(shared), name, project, folder, untracked)
    home.create()
    return home


def engine_of(
    kind: EngineKind, home: Home, values: Values, repository: Path | None = None
) -> Engine:
    """The engine of an app.

    Args:
        kind: the host's engine.
        home: what `home_of` returned.
        values: the machine's variables that builds need, the app's own, and its secrets.
        repository: where its source is; default its home's own.
    """
    source = repository or home.repository

    def check_out(release: Release, folder: Path) -> None:
        snapshot.check_out(source, release.commit, folder)

    if kind is EngineKind.EMBEDDED:
        from geartrain.engine.embedded.engine import EmbeddedEngine
        from geartrain.engine.embedded.host import Host

        if not isinstance(home, Host):
            raise TypeError("the embedded engine needs a home of its own kind")
        return EmbeddedEngine(home, values.environ, check_out, values)
    from geartrain.engine.docker.engine import DockerEngine
    from geartrain.engine.docker.host import DockerHome

    if not isinstance(home, DockerHome):
        raise TypeError("the docker engine needs a home of its own kind")
    return DockerEngine(home, values.environ, check_out, values)
