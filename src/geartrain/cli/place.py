"""Which app a command is about: of a project folder, or of a host."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from geartrain.app.finding import nearest
from geartrain.cli import remotes
from geartrain.engine.embedded.host import Host
from geartrain.engine.embedded.supervisor.client import Client, connect
from geartrain.engine.home import Home
from geartrain.errors import Exit, GearError

if TYPE_CHECKING:
    from geartrain.engine.docker.host import DockerHome
    from geartrain.engine.protocol import Engine
    from geartrain.release.ledger import DiskLedger
    from geartrain.server.app import ServerApp


@dataclass(frozen=True, kw_only=True)
class Place:
    """An app's home, and of what host.

    `app` is None for the private host of a project folder.
    """

    name: str
    home: Home
    app: ServerApp | None = None

    def ledger(self) -> DiskLedger:
        """Its history and kept releases."""
        from geartrain.release.ledger import DiskLedger

        return DiskLedger(self.home) if self.app is None else self.app.ledger(self.home)

    @property
    def docker(self) -> DockerHome | None:
        """Its home, where Docker runs it."""
        if self.app is None:
            return None
        from geartrain.engine.docker.host import DockerHome

        return self.home if isinstance(self.home, DockerHome) else None

    def engine(self, number: int | None = None) -> Engine:
        """The engine that runs it.

        Args:
            number: the release that is worked on, whose checkout has its files.
        """
        if self.app is None:
            from geartrain.cli.session import engine_of

            if not isinstance(self.home, Host):
                raise TypeError("a private host is the embedded engine's")
            return engine_of(self.home)
        source = self.home.releases / str(number) / "src"
        if number is not None and source.exists():
            self.home.project = source
        return self.app.engine(self.home)


def find(start: Path, app: str | None = None, host_dir: Path | None = None) -> Place:
    """The app that a command is about.

    Args:
        start: a folder: the nearest one at or above it that was started with
            `gear up`, else the one whose repository has an app as its remote.
        app: the name of a host's app, whatever the folder.
        host_dir: that host's folder.

    Raises:
        GearError: there is none.
    """
    if app is not None or host_dir is not None:
        return _of_host(app, host_dir)
    here = start.resolve()
    for folder in (here, *here.parents):
        if (folder / ".gear" / "host.json").exists():
            return Place(name=folder.name, home=Host(folder))
    if found := _of_remote(here):
        return found
    far = next(iter(remotes.elsewhere(here)), None)
    raise GearError(
        f"nothing was started in {here}, nor above it",
        remedy=f"its repository has the app {far[1]} elsewhere: gear -H {far[0]} ..."
        if far
        else "`gear up` starts the app of the Compose file in this folder;"
        " --app names an app of a host",
    )


def _of_host(app: str | None, host_dir: Path | None) -> Place:
    from geartrain.server import host as hosts
    from geartrain.server.app import ServerApp

    host = hosts.ServerHost(hosts.place(host_dir, os.environ))
    if app is None:
        names = host.names()
        if len(names) != 1:
            raise GearError(
                f"this host has {len(names)} apps",
                where=str(host.folder),
                remedy=f"say which with --app: {', '.join(names)}" if names else "gear app create",
            )
        app = names[0]
    return placed(ServerApp(host, app))


def placed(app: ServerApp) -> Place:
    """The place of a host's app."""
    return Place(name=app.name, home=app.home(), app=app)


def _of_remote(folder: Path) -> Place | None:
    """The app that a remote of the folder's repository is, where it is on this machine."""
    from geartrain.server.app import ServerApp
    from geartrain.server.host import FILE, ServerHost

    for said in remotes.urls(folder):
        url = Path(said.removeprefix("file://"))
        state = url.parent.parent.parent
        if url.name == "repo.git" and url.parent.parent.name == "apps" and (state / FILE).exists():
            return placed(ServerApp(ServerHost(state), url.parent.name))
    return None


def running(place: Place) -> Client:
    """The supervisor of an app.

    Raises:
        GearError: nothing runs.
    """
    client = connect(place.home.run)
    if client is None:
        raise not_running(place)
    return client


def not_running(place: Place) -> GearError:
    """What to say when nothing runs."""
    again = "`gear up -d` starts it in the background"
    if place.app is not None:
        again = f"`gear converge --app {place.name}` starts its live release"
    where = place.home.project if place.app is None else place.home.folder
    return GearError("nothing runs here", where=str(where), remedy=again, code=Exit.FAILED)


def no_service(name: str, known: Iterable[str]) -> GearError:
    """What to say about a service that is not there: the nearest name, and all of them."""
    names = sorted(set(known))
    guess = nearest(name, names)
    what = f"there is no service {name!r} here"
    return GearError(
        f"{what}; did you mean {guess!r}?" if guess else what,
        remedy=f"known: {', '.join(names) or 'none yet'}",
    )
