"""Which images of releases may go, and removing them.

Only what has our labels is looked at, and what a container uses stays, running or not.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from geartrain.engine.docker import api
from geartrain.engine.docker.api import RefusedError
from geartrain.engine.docker.images.listing import APP, HOST, Made, made

KEPT_RELEASES = 5
"""Releases of an app that one can roll back to, the live one included."""
KEPT_SECONDS = 90 * 86400.0
"""Seconds after which a release is not one that anybody rolls back to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """What stays. `live` are numbers that stay whatever their age, by (host, app)."""

    releases: int = KEPT_RELEASES
    seconds: float = KEPT_SECONDS
    live: Collection[tuple[str, str, int]] = ()


def superfluous(images: Iterable[Made], kept: Kept, now: float) -> tuple[Made, ...]:
    """The images that may go, oldest first. Pure.

    Of each app the newest releases stay, unless they are too old; of those, the newest one stays.
    """
    candidates = [image for image in images if image.kind == "release" and not image.used]
    every = [image for image in images if image.kind == "release"]
    numbers: dict[tuple[str, str], list[int]] = {}
    for image in every:
        if image.release is not None:
            numbers.setdefault(_owner(image), []).append(image.release)
    going = []
    for image in candidates:
        owner, number, age = _owner(image), image.release, now - image.created
        if number is None:
            continue
        newest = sorted(set(numbers[owner]), reverse=True)[: max(1, kept.releases)]
        if (*owner, number) in kept.live or number == newest[0]:
            continue
        if number not in newest or age > kept.seconds:
            going.append(image)
    return tuple(sorted(going, key=lambda image: image.created))


def prune(
    kept: Kept, *, app: str = "", host: str = "", dry: bool = False, now: float | None = None
) -> tuple[Made, ...]:
    """Remove what may go; returns what went (or would go, when `dry`).

    Args:
        kept: what stays.
        app: only this app's; default every app's.
        host: only this host's.
        dry: remove nothing.
        now: Unix time in seconds.

    Raises:
        GearError: no daemon answers.
    """
    found = [image for image in made(app) if not host or image.labels.get(HOST) == host]
    going = superfluous(found, kept, time.time() if now is None else now)
    return going if dry else tuple(image for image in going if remove(image))


def sweep(host: str, app: str, kept: Collection[int], names: Collection[str]) -> tuple[Made, ...]:
    """Remove the images of an app's releases that are gone; returns them.

    Args:
        host: the host's id.
        app: the app.
        kept: numbers of the releases that are still there.
        names: images that those use, whatever release they were built for.

    Raises:
        GearError: no daemon answers.
    """
    going = [
        image
        for image in made(app)
        if image.labels.get(HOST) == host and image.release not in kept
        if not image.used and not set(image.names) & set(names)
    ]
    return tuple(image for image in going if remove(image))


def remove(image: Made) -> bool:
    """Remove an image by all its names; False when something has begun to use it."""
    try:
        for name in image.names:
            api.delete("images", name, within=300.0)
    except RefusedError:
        return False
    return True


def _owner(image: Made) -> tuple[str, str]:
    return image.labels.get(HOST, ""), image.labels.get(APP, "")
