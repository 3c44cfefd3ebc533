"""Whether a build has room, asked before it starts: a full disk takes the data services with it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from geartrain.engine.docker import api
from geartrain.errors import GearError

LEAST = 1 << 30
"""Bytes that stay free whatever is built."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Space:
    """Room where Docker keeps its images, in bytes; `folder` is that place."""

    folder: str
    free: int
    total: int
    inodes: int  # free ones; -1 where the file system counts none


class _Info(msgspec.Struct):
    folder: str = msgspec.field(name="DockerRootDir", default="")


def measured() -> Space | None:
    """The room there is; None where Docker runs on another machine."""
    info = api.get(_Info, "info")
    folder = info.folder if info else ""
    if not folder or not Path(folder).is_dir():
        return None
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return Space(
        folder=folder,
        free=found.f_bavail * found.f_frsize,
        total=found.f_blocks * found.f_frsize,
        inodes=found.f_favail if found.f_files else -1,
    )


def check(space: Space, *, last: int, service: str) -> None:
    """Refuse a build that would fill the disk.

    Args:
        space: the room there is.
        last: size of the service's newest image in bytes; 0 when there is none. A build needs
            about that much again, and as much while it runs.
        service: whose build it is.

    Raises:
        GearError: there is too little; with the figures.
    """
    needed = LEAST + 2 * last
    remedy = "make room, for one with `gear images prune`; `docker system df` shows who holds what"
    if space.free < needed:
        raise GearError(
            f"too little room to build {service}: {shown(space.free)} of {shown(space.total)} are"
            f" free in {space.folder}, and it needs {shown(needed)}",
            remedy=remedy,
        )
    if 0 <= space.inodes < 10_000:
        raise GearError(
            f"too little room to build {service}: {space.inodes} more files can be made in"
            f" {space.folder}",
            remedy=remedy,
        )


def shown(size: int) -> str:
    """Bytes for people: `812 MB`, `1.4 GB`."""
    if size >= 1_000_000_000:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.0f} MB"
