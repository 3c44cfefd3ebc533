"""Every image that an app names, on this machine: there already, pulled, or made.

A stand-in that was made once stays in use until it is removed, also when the registry can be
reached again: what a database runs on does not change with the weather.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from geartrain.engine.docker import imagery
from geartrain.engine.docker.api import RefusedError
from geartrain.engine.docker.images import base
from geartrain.engine.docker.images.families.choose import recipes
from geartrain.engine.docker.images.make import content, make
from geartrain.engine.docker.images.reference import parse
from geartrain.engine.docker.images.registry import Pull, Registries
from geartrain.engine.protocol import Say
from geartrain.errors import GearError, Problem


def state_folder(environ: Mapping[str, str]) -> Path:
    """Where this user's Geartrain keeps what it knows of images; made if it is not there."""
    if os.geteuid() == 0:
        folder = Path("/var/lib/geartrain/images")
    else:
        home = environ.get("XDG_STATE_HOME", "") or str(Path.home() / ".local/state")
        folder = Path(home) / "geartrain/images"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def ensure(
    names: Iterable[str],
    say: Say,
    *,
    environ: Mapping[str, str] = os.environ,
    state: Path | None = None,
) -> dict[str, str]:
    """Get every image, and say by which name each is here.

    Args:
        names: as a Compose file or a Dockerfile names them.
        say: told in one line what takes time, and which stand-ins are used.
        environ: this process's environment.
        state: folder of what is remembered; default `state_folder`.

    Returns:
        For each name the one to use: itself, or `geartrain/…` for a stand-in.

    Raises:
        GearError: some cannot be had; with the reason for each.
    """
    folder = state_folder(environ) if state is None else state
    registries = Registries(folder / "registries.json")
    found: dict[str, str] = {}
    lacking: list[str] = []
    problems: list[Problem] = []
    for name in dict.fromkeys(names):
        if _is_here(name):
            found[name] = name
        elif standing := _stand_in(name, environ):
            found[name] = standing.name
            if not standing.current:
                lacking.append(name)
        else:
            pull, why = registries.pull(parse(name), say)
            if pull is Pull.DONE:
                found[name] = name
            elif problem := _problem(name, pull, why):
                problems.append(problem)
            else:
                lacking.append(name)
    if problems:
        raise _unavailable(problems)
    if lacking:
        with _alone(folder / "lock", say):
            for name in lacking:
                found[name] = _make(name, found.get(name), say, environ)
        say(f"no registry: made here instead: {', '.join(lacking)} (see `gear images`)")
    return found


def _make(name: str, older: str | None, say: Say, environ: Mapping[str, str]) -> str:
    """Make a stand-in; when it cannot be made anew, the older one goes on."""
    try:
        return build(name, say, environ)
    except GearError as error:
        if older is None:
            raise
        say(f"{older} stays as it is: {error.what}")
        return older


def build_all(
    names: Iterable[str], say: Say, environ: Mapping[str, str] = os.environ, *, fresh: bool = False
) -> dict[str, str]:
    """Make stand-ins for all of these names; returns the local name of each.

    Raises:
        GearError: one cannot be made.
    """
    with _alone(state_folder(environ) / "lock", say):
        return {name: build(name, say, environ, fresh=fresh) for name in dict.fromkeys(names)}


def forget(environ: Mapping[str, str]) -> None:
    """Ask every registry again from now on."""
    Registries(state_folder(environ) / "registries.json").forget()


def build(
    name: str, say: Say, environ: Mapping[str, str] = os.environ, *, fresh: bool = False
) -> str:
    """Make the stand-in for an image; returns its local name.

    Where a distribution is out of reach, the next way is another one's version.

    Raises:
        GearError: it cannot be made, or no way is known.
    """
    ways = recipes(parse(name))
    if not ways:
        raise _unavailable([Problem(what=f"no stand-in for {name} is known", remedy=_BRING)])
    failures: list[base.OutOfReachError] = []
    for recipe in ways:  # all have the same name
        try:
            made = make(recipe, environ, say, fresh=fresh)
        except base.OutOfReachError as error:
            failures.append(error)
            continue
        if recipe.notice:
            say(f"{name}: {recipe.notice}")
        return made
    raise failures[0]


_BRING = "load it with `docker load`, or let the machine reach the registry"


@dataclass(frozen=True, slots=True)
class _StandIn:
    """A stand-in on this machine, and whether it is as it would be made now."""

    name: str
    current: bool


def _is_here(name: str) -> bool:
    try:
        return imagery.find(name) is not None
    except RefusedError:
        return False  # such as one that is no name


def _stand_in(name: str, environ: Mapping[str, str]) -> _StandIn | None:
    ways = recipes(parse(name))
    made = base.content_of(ways[0].name) if ways else ""
    if not made:
        return None
    current = any(content(way, environ) == made for way in ways)
    return _StandIn(ways[0].name, current)


def _problem(name: str, pull: Pull, why: str) -> Problem | None:
    reference = parse(name)
    if pull is Pull.REFUSED:
        return Problem(
            what=f"{reference.registry} has no {name}, or does not give it: {why}",
            where=name,
            remedy="correct the name, or log in with `docker login`",
        )
    if recipes(reference):
        return None
    return Problem(what=f"it is not here, and it cannot be pulled: {why}", where=name,
                   remedy=_BRING)  # fmt: skip


def _unavailable(problems: list[Problem]) -> GearError:
    many = "images are" if len(problems) > 1 else "an image is"
    return GearError(f"{many} not to be had", problems=problems)


@contextmanager
def _alone(lock: Path, say: Say) -> Iterator[None]:
    """One process makes images; others wait, and then find them made."""
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for images that another command is making")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
