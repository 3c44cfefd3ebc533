"""The images on this machine that Geartrain made, known by their labels alone."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from geartrain.engine.docker.client import docker
from geartrain.engine.docker.images.base import IMAGE

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


class _Config(msgspec.Struct):
    labels: dict[str, str] | None = msgspec.field(name="Labels", default=None)


class _Inspected(msgspec.Struct):
    id: str = msgspec.field(name="Id")
    names: list[str] | None = msgspec.field(name="RepoTags")
    size: int = msgspec.field(name="Size")
    created: str = msgspec.field(name="Created")
    config: _Config = msgspec.field(name="Config")


def made(app: str = "") -> tuple[Made, ...]:
    """Every image with a label of ours, newest first.

    Args:
        app: only images of this app's releases.

    Raises:
        GearError: no daemon answers.
    """
    words = ["image", "ls", "--quiet", "--no-trunc", "--filter", f"label={IMAGE}"]
    words += ["--filter", f"label={APP}={app}"] if app else []
    ids = dict.fromkeys(docker(*words).out.split())
    if not ids:
        return ()
    # One that is removed meanwhile is left out, with a failure that says so.
    said = docker("image", "inspect", *ids, check=False).out
    found = msgspec.json.decode(said or "[]", type=list[_Inspected])
    used = _used()
    images = [
        _one(image, image.id in used)
        for image in found
        if (image.config.labels or {}).get(IMAGE) in (image.names or ())
    ]
    return tuple(sorted(images, key=lambda image: -image.created))


def _used() -> set[str]:
    """Images of containers, running or not."""
    ids = docker("container", "ls", "--all", "--quiet", "--no-trunc").out.split()
    if not ids:
        return set()
    words = ("container", "inspect", "--format", "{{.Image}}")
    return set(docker(*words, *ids, check=False).out.split())


def _one(image: _Inspected, used: bool) -> Made:
    labels = image.config.labels or {}
    # Docker writes nanoseconds, which Python's clock does not know.
    whole = image.created.split(".")[0].removesuffix("Z")
    created = datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp()
    return Made(
        id=image.id,
        names=tuple(image.names or ()),
        kind="release" if APP in labels else labels.get(KIND, "release"),
        labels=labels,
        size=image.size,
        created=created,
        used=used,
    )
