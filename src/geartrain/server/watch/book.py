"""What should run of each app of a host, read again only when its history went on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from geartrain.app.model import Role
from geartrain.app.release import Release, scaled
from geartrain.errors import GearError
from geartrain.release import target
from geartrain.release.history import LOG, History

Mark = tuple[int | None, int | None]


class Wanted(Struct, frozen=True, kw_only=True):
    """What should run of an app: its live release, with as many copies as were asked for.

    `jobs` are those that are started when they are due, with their cron expressions.
    """

    release: Release
    jobs: dict[str, str]


class Book:
    """The apps of a host.

    Args:
        apps: the folder with a folder for each.
    """

    def __init__(self, apps: Path) -> None:
        self._apps = apps
        self._known: dict[str, tuple[Mark, Wanted | None]] = {}

    def read(self) -> dict[str, Wanted]:
        """What should run, by app; nothing of those that were stopped, or never live."""
        now: dict[str, tuple[Mark, Wanted | None]] = {}
        for folder in self._folders():
            mark = _mark(folder / "repo.git")
            before = self._known.get(folder.name)
            if before is not None and before[0] == mark:
                now[folder.name] = before
                continue
            try:
                now[folder.name] = (mark, wanted(folder))
            except GearError:  # it cannot be read now: what is known of it stays
                now[folder.name] = ((None, None), before[1] if before else None)
        self._known = now
        return {name: one for name, (_, one) in now.items() if one is not None}

    def _folders(self) -> Iterator[Path]:
        try:
            found = sorted(entry.name for entry in os.scandir(self._apps))
        except OSError:
            return
        for name in found:
            if (self._apps / name / "app.json").exists():
                yield self._apps / name


def wanted(folder: Path) -> Wanted | None:
    """What should run of the app in a folder.

    Raises:
        GearError: its history cannot be read.
    """
    desired = History(folder / "repo.git").desired()
    live = target.read(folder / "releases", None if desired.stopped else desired.live)
    if live is None:
        return None
    jobs = {s.name: s.gear.schedule for s in live.app.of_role(Role.JOB) if s.gear.schedule}
    return Wanted(release=scaled(live, desired.replicas), jobs=jobs)


def _mark(repository: Path) -> Mark:
    """What changes with the history: the times of the files that its newest commit may be in."""
    return _time(repository / LOG), _time(repository / "packed-refs")


def _time(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
