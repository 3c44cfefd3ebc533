"""What images that are here say of themselves."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from geartrain.engine.docker import api
from geartrain.errors import GearError
from geartrain.render.compose import ImageFacts

# First processes that images bring, which reap children and pass on signals themselves.
_INITS = ("/init", "tini", "dumb-init", "/sbin/init", "catatonit", "s6-svscan")


class _Config(msgspec.Struct):
    user: str = msgspec.field(name="User", default="")
    env: list[str] | None = msgspec.field(name="Env", default=None)
    entrypoint: list[str] | None = msgspec.field(name="Entrypoint", default=None)
    volumes: dict[str, object] | None = msgspec.field(name="Volumes", default=None)
    labels: dict[str, str] | None = msgspec.field(name="Labels", default=None)


class Image(msgspec.Struct):
    """An image, as far as `docker image inspect` is read."""

    id: str = msgspec.field(name="Id")
    config: _Config = msgspec.field(name="Config")

    @property
    def labels(self) -> Mapping[str, str]:
        """What it says of itself."""
        return self.config.labels or {}

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that it sets."""
        return dict(pair.partition("=")[::2] for pair in self.config.env or ())

    @property
    def volumes(self) -> tuple[str, ...]:
        """Folders that get a volume of their own unless something is mounted there."""
        return tuple(path.rstrip("/") for path in self.config.volumes or ())

    def facts(self, name: str) -> ImageFacts:
        """What a rendered file must know of it."""
        user = self.config.user.partition(":")[0]
        first = (self.config.entrypoint or [""])[0]
        init = first in _INITS or first.rpartition("/")[2] in _INITS
        return ImageFacts(name=name, root=user in ("", "0", "root"), init=init)


def find(name: str) -> Image | None:
    """An image by its name, or None when it is not here."""
    return api.get(Image, "images", name, "json")


def need(name: str, where: str) -> Image:
    """An image that must be here.

    Raises:
        GearError: it is not.
    """
    if (found := find(name)) is None:
        raise GearError(f"the image {name} is not here", where=where)
    return found
