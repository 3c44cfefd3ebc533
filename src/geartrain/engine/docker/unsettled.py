"""Databases that run, but whose roles and first contents are not finished.

A note stands from before the work until after it, so that whoever comes after
a crash does it over, and nobody takes such a database for one that is ready.
"""

from __future__ import annotations

from geartrain import durable
from geartrain.engine.docker.host import DockerHome

NEW = "new"
FILLING = "filling"  # new, and its init scripts have begun
CHANGED = "changed"
SUFFIX = ".unsettled"


def begin(home: DockerHome, service: str, *, new: bool) -> bool:
    """Note that work on a database begins.

    Args:
        home: the app's home.
        service: the database service.
        new: it holds no data yet.

    Returns:
        True when its first contents were never finished.
    """
    note = home.data / f"{service}{SUFFIX}"
    before = note.read_text() if note.exists() else ""
    if before not in (NEW, FILLING):
        durable.write(note, NEW if new else CHANGED)
    return new or before in (NEW, FILLING)


def fill(home: DockerHome, service: str) -> bool:
    """Note that a new database gets its first contents; says whether that was cut off before."""
    note = home.data / f"{service}{SUFFIX}"
    if note.exists() and note.read_text() == FILLING:
        return True
    durable.write(note, FILLING)
    return False


def refused(home: DockerHome, service: str) -> None:
    """Note that a script failed: somebody may look into the database, and mend it by hand."""
    durable.write(home.data / f"{service}{SUFFIX}", NEW)


def end(home: DockerHome, service: str) -> None:
    """Note that the work is done."""
    (home.data / f"{service}{SUFFIX}").unlink(missing_ok=True)
    durable.sync_folder(home.data)


def services(home: DockerHome) -> frozenset[str]:
    """The databases whose work is not finished."""
    return frozenset(path.name.removesuffix(SUFFIX) for path in home.data.glob(f"*{SUFFIX}"))
