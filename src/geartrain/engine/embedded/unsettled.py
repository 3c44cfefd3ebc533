"""Databases that run, but whose roles and first contents are not finished.

A note beside the data stands from before the work until after it, so that
whoever comes after a crash does it over, and nobody takes such a database for
one that is ready.
"""

from __future__ import annotations

from pathlib import Path

from geartrain import durable
from geartrain.engine.embedded.host import Host

NEW = "new"
CHANGED = "changed"


def begin(host: Host, service: str, *, new: bool) -> bool:
    """Note that work on a database begins.

    Args:
        host: the host.
        service: the database service.
        new: its data folder is not there yet.

    Returns:
        True when its first contents were never finished.
    """
    note = _note(host, service)
    before = note.read_text() if note.exists() else ""
    if before != NEW:
        durable.write(note, NEW if new else CHANGED)
    return new or before == NEW


def end(host: Host, service: str) -> None:
    """Note that the work is done."""
    _note(host, service).unlink(missing_ok=True)
    durable.sync_folder(host.data.resolve())


def unsettled(host: Host, service: str) -> bool:
    """True while the work on a database is not finished."""
    return _note(host, service).exists()


def _note(host: Host, service: str) -> Path:
    return host.data.resolve() / f".{service}.unsettled"
