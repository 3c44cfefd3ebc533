"""Room where Docker keeps images and containers: a full disk takes the data services with it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from geartrain.engine.docker import api
from geartrain.errors import GearError

LEAST = 1 << 30
"""Bytes that are free before anything is built."""
RESERVE = LEAST // 2
"""Bytes that a build may not take: a database that cannot write its log stops."""
NOTHING = 2**24
"""Free bytes at which programs fail, and what they say of it is not kept either."""
CONTAINERD = "/var/lib/containerd"
"""Where containerd keeps images for a Docker that leaves them to it, as from version 29 on."""
SNAPSHOTTER = ("driver-type", "io.containerd.snapshotter.v1")
REMEDY = "make room, for one with `gear images prune`; `docker system df` shows who holds what"


@dataclass(frozen=True, kw_only=True, slots=True)
class Space:
    """Room where Docker keeps its images, in bytes; `folder` is that place."""

    folder: str
    free: int
    total: int
    inodes: int  # free ones; -1 where the file system counts none


class Info(msgspec.Struct):
    """What Docker says of where it keeps things."""

    folder: str = msgspec.field(name="DockerRootDir", default="")
    driver: tuple[tuple[str, ...], ...] | None = msgspec.field(name="DriverStatus", default=())

    @property
    def folders(self) -> tuple[str, ...]:
        """Its own folder, and the one of its images where that is another."""
        elsewhere = SNAPSHOTTER in (self.driver or ())
        return (self.folder, *([CONTAINERD] if elsewhere else []))


def folders() -> tuple[str, ...]:
    """Where Docker keeps things on this machine; none where it runs on another one."""
    info = api.get(Info, "info")
    if info is None or not info.folder or not Path(info.folder).is_dir():
        return ()
    return tuple(folder for folder in info.folders if Path(folder).is_dir())


def measured() -> Space | None:
    """The room there is, where there is least; None where Docker runs on another machine."""
    rooms = [room for folder in folders() if (room := look(folder))]
    return min(rooms, key=lambda room: room.free, default=None)


def look(folder: str) -> Space | None:
    """The room in a folder; None when it cannot be told."""
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
    if space.free < needed:
        raise GearError(
            f"too little room to build {service}: {shown(space.free)} of {shown(space.total)} are"
            f" free in {space.folder}, and it needs {shown(needed)}",
            remedy=REMEDY,
        )
    if 0 <= space.inodes < 10_000:
        raise GearError(
            f"too little room to build {service}: {space.inodes} more files can be made in"
            f" {space.folder}",
            remedy=REMEDY,
        )


def exhausted() -> str:
    """That nothing can be written any more, for the end of a sentence, or ""."""
    now = measured()
    if now is None or now.free > NOTHING:
        return ""
    return f"; no space left on device: {shown(now.free)} are free in {now.folder}"


class Guard:
    """Ends a build before it has filled the disk.

    Args:
        before: the room that there was.
        service: whose build it is.
    """

    def __init__(self, before: Space, service: str) -> None:
        self._before = before
        self._service = service
        self._at_last: Space | None = None

    def full(self) -> bool:
        """Whether what is left is to stay free."""
        if self._at_last is None:
            now = look(self._before.folder)
            self._at_last = now if now is not None and now.free < RESERVE else None
        return self._at_last is not None

    def judge(self) -> None:
        """Raise when that ended the build.

        Raises:
            GearError: it did; with the figures.
        """
        if (left := self._at_last) is not None:
            raise GearError(
                f"the build of {self._service} was ended before it filled the disk: it took"
                f" {shown(self._before.free - left.free)}, and {shown(left.free)} of"
                f" {shown(left.total)} were left in {left.folder}",
                remedy=REMEDY,
            )


def shown(size: int) -> str:
    """Bytes for people: `812 MB`, `1.4 GB`."""
    if size >= 1_000_000_000:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.0f} MB"
