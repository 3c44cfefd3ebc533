"""The images on this machine that Geartrain made, known by their labels alone."""

from __future__ import annotations

import msgspec

from geartrain.engine.docker import api
from geartrain.engine.docker.images.base import IMAGE
from geartrain.render import containers

KIND = "geartrain.kind"  # on what is made for all apps: "base" or "stand-in"
APP, HOST, RELEASE, SERVICE = (
    f"geartrain.{name}" for name in ("app", "host", "release", "service")
)


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """One image. `created` is a Unix time in seconds, `size` bytes, `used` by any container."""

    id: str
    names: tuple[str, ...]
    kind: str  # "base", "stand-in" or "release"
    labels: dict[str, str]
    size: int
    created: float
    used: bool = False

    @property
    def stands_for(self) -> str:
        """The official name, of a stand-in; what is built upon one has inherited the label."""
        return self.labels.get("geartrain.stands-for", "") if self.kind == "stand-in" else ""

    @property
    def gives(self) -> str:
        """What is in it, for people."""
        if self.kind == "release":
            return f"release {self.labels.get(RELEASE, '?')} of {self.labels.get(APP, '?')}"
        return self.labels.get("geartrain.gives", "")

    @property
    def release(self) -> int | None:
        """The number of the release that it was built for."""
        text = self.labels.get(RELEASE, "")
        return int(text) if text.isdecimal() else None


class _Listed(msgspec.Struct):
    id: str = msgspec.field(name="Id")
    size: int = msgspec.field(name="Size")
    created: float = msgspec.field(name="Created")
    names: list[str] | None = msgspec.field(name="RepoTags", default=None)
    labels: dict[str, str] | None = msgspec.field(name="Labels", default=None)


class _User(msgspec.Struct):
    image: str = msgspec.field(name="ImageID", default="")


def made(app: str = "") -> tuple[Made, ...]:
    """Every image with a label of ours, newest first.

    Args:
        app: only images of this app's releases.

    Raises:
        GearError: no daemon answers.
    """
    chosen = containers.filters({IMAGE: "", **({APP: app} if app else {})})
    found = api.get(list[_Listed], "images", "json", filters=chosen)
    # Of containers that run, and of those that do not.
    used = {one.image for one in api.get(list[_User], "containers", "json", all="1") or ()}
    images = [
        _one(image, image.id in used)
        for image in found or ()
        if (image.labels or {}).get(IMAGE) in (image.names or ())
    ]
    return tuple(sorted(images, key=lambda image: -image.created))


def _one(image: _Listed, used: bool) -> Made:
    labels = image.labels or {}
    return Made(
        id=image.id,
        names=tuple(image.names or ()),
        kind="release" if APP in labels else labels.get(KIND, "release"),
        labels=labels,
        size=image.size,
        created=image.created,
        used=used,
    )
