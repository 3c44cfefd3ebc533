"""What is kept of an app: its history, and the releases that can run again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from geartrain.app.model import App
from geartrain.app.release import Release
from geartrain.engine.home import Home
from geartrain.release import git, target
from geartrain.release.events import GOT_LIVE, Event
from geartrain.release.history import Desired, History

KEPT = 5


class Source(Struct, frozen=True, kw_only=True):
    """What is released: a Git tree, and the commit that brought it ("" for a snapshot)."""

    tree: str
    commit: str = ""


class Ledger(Protocol):
    """An app's history and kept releases. Who writes holds the app's lock."""

    def desired(self) -> Desired:
        """What should run."""
        ...

    def events(self) -> list[Event]:
        """What happened, the newest first."""
        ...

    def tell(self, desired: Desired, event: Event) -> None:
        """Record an event and with it the desired state, atomically."""
        ...

    def read(self, number: int | None) -> Release | None:
        """A kept release, or None."""
        ...

    def choose(self, app: App, source: Source, desired: Desired, summary: str) -> Release:
        """The release that this source is: a known one, or the next number."""
        ...

    def save(self, release: Release, source: Source | None) -> Release:
        """Keep a release. Without a source it is one that is kept already."""
        ...

    def prune(self, keep: set[int | None]) -> tuple[int, ...]:
        """Delete the oldest releases, but none of `keep`."""
        ...


class DiskLedger:
    """The ledger in an app's home: a bare repository and a folder of releases.

    Args:
        home: the app's home.
        told: called with each event that was written down.
    """

    def __init__(self, home: Home, told: Callable[[Event], None] = lambda _: None) -> None:
        self._home = home
        self._told = told
        git.create(home.repository)
        self._history = History(home.repository)

    def desired(self) -> Desired:
        """What should run."""
        return self._history.desired()

    def events(self) -> list[Event]:
        """What happened, the newest first."""
        return self._history.events()

    def tell(self, desired: Desired, event: Event) -> None:
        """Record an event and with it the desired state, atomically."""
        self._history.tell(desired, event)
        self._told(event)

    def read(self, number: int | None) -> Release | None:
        """A kept release, or None."""
        return target.read(self._home.releases, number)

    def choose(self, app: App, source: Source, desired: Desired, summary: str) -> Release:
        """The release that this source is: a known one, or the next number."""
        home = self._home
        return target.choose(
            home.repository, home.releases, app, source.tree, desired, summary, source.commit
        )

    def save(self, release: Release, source: Source | None) -> Release:
        """Keep a release. Without a source it is one that is kept already."""
        pushed = source is not None and bool(source.commit)
        return target.save(self._home.repository, self._home.releases, release, pushed=pushed)

    def prune(self, keep: set[int | None]) -> tuple[int, ...]:
        """Delete the oldest releases, but none of `keep`."""
        proven = {one.release for one in self.events() if one.what in GOT_LIVE}
        return target.prune(self._home.repository, self._home.releases, keep, proven, KEPT)
