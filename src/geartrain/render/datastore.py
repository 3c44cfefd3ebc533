"""Where a data service keeps its data in a container: pure decisions on mounts and versions.

Since 18 the official PostgreSQL images keep data in `/var/lib/postgresql/18/docker`
and have their volume at `/var/lib/postgresql`; before, both were
`/var/lib/postgresql/data` (hub.docker.com/_/postgres, "PGDATA"). A mount at the
wrong one of them leaves the data in a volume without a name, which is lost with
the container.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from msgspec import Struct

from geartrain.app.model import Mount, MountKind, Service
from geartrain.errors import InvalidError

INIT_TARGET = "/docker-entrypoint-initdb.d"


class Place(Struct, frozen=True, kw_only=True):
    """Where the data is: a mount of the author's, or one of our own at `target`.

    `below` is the data's folder relative to `target`.
    """

    target: str
    below: str
    mount: Mount | None = None

    @property
    def volume(self) -> str:
        """The key of the named volume, "" for a folder."""
        if self.mount is None or self.mount.kind is not MountKind.VOLUME:
            return ""
        return self.mount.source


def place(service: Service, folder: str, volumes: Sequence[str]) -> Place:
    """Where the data of a service is.

    Args:
        service: the data service.
        folder: the data's folder in the container.
        volumes: folders for which the image makes volumes by itself.

    Raises:
        InvalidError: what is mounted would not keep the data.
    """
    kept = [m for m in service.mounts if m.kind is not MountKind.TMPFS
            and _within(folder, m.target)]  # fmt: skip
    nearest = max(kept, key=lambda m: len(m.target.rstrip("/")), default=None)
    own = max((v for v in volumes if _within(folder, v)), key=len, default="")
    if nearest is not None and len(nearest.target.rstrip("/")) >= len(own):
        if nearest.kind is MountKind.VOLUME and not nearest.source:
            return Place(target=nearest.target.rstrip("/"), below=_below(folder, nearest.target))
        target = nearest.target.rstrip("/")
        return Place(target=target, below=_below(folder, target), mount=nearest)
    stray = nearest or next((m for m in service.mounts if _near(m, folder, own)), None)
    target = own or folder
    if stray is not None:
        raise InvalidError(
            f"the mount at {stray.target} would not keep the data: {service.image} has it in"
            f" {folder}, in a volume that is lost with the container",
            where=f"services.{service.name}.volumes",
            remedy=f"mount it at {target}; if it holds data of an older version, keep that"
            " version's image or dump it first",
        )
    return Place(target=target, below=_below(folder, target))


def is_one_of(service: Service, images: Sequence[str]) -> bool:
    """True for a service of one of these official images, not built and not somebody else's."""
    name = service.image.partition("@")[0].partition(":")[0]
    return (
        service.build is None and name.removeprefix("docker.io/").removeprefix("library/") in images
    )


def _within(path: str, folder: str) -> bool:
    return PurePosixPath(path).is_relative_to(PurePosixPath(folder))


def _below(path: str, folder: str) -> str:
    return str(PurePosixPath(path).relative_to(PurePosixPath(folder)))


def _near(mount: Mount, folder: str, own: str) -> bool:
    """Whether a mount means the data, and misses it."""
    if mount.kind is MountKind.TMPFS or mount.target.startswith(INIT_TARGET):
        return False
    homes = {own, str(PurePosixPath(folder).parent), "/var/lib/postgresql"} - {"", "/"}
    return any(_within(mount.target, home) for home in homes)
