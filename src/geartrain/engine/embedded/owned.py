"""Folders of the user that data services run as."""

from __future__ import annotations

import os
from pathlib import Path


def folder(path: Path, user: int | None) -> None:
    """Make a folder that one user alone may enter, or finish one that a crash left half made.

    Args:
        path: the folder; those above it are made as well, and are this process's own.
        user: its numeric owner; None for this process's own.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if user is not None and path.stat().st_uid != user:
        os.chown(path, user, user)
