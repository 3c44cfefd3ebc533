"""The Compose file of a pushed commit, read in its checkout."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from geartrain import durable
from geartrain.app import stand_in
from geartrain.app.model import App
from geartrain.app.sealed import FILE
from geartrain.engine import memory
from geartrain.errors import GearError, InvalidError, Problem
from geartrain.load import Loaded, load
from geartrain.load.complaints import MissingEnvFilesError
from geartrain.load.stores import with_stores
from geartrain.load.variables import MissingVariablesError
from geartrain.server.app import ServerApp
from geartrain.server.host import EngineKind
from geartrain.server.secrets import care, host_key
from geartrain.server.secrets import opened as opening
from geartrain.server.secrets.opened import opened


def read(app: ServerApp, folder: Path, commit: str) -> Loaded:
    """What the Compose file of a checkout says; the app has the name that it has on this host.

    It has stand-ins in place of secrets (`app.stand_in`): only what is started has their values.

    Args:
        app: the app.
        folder: the checkout.
        commit: what messages call it.

    Raises:
        GearError: it cannot be released; every finding at once.
    """
    values: Mapping[str, str] = {}
    try:
        found = opened(app.host.folder, folder)
        values = found.values
        loaded = _with_env_files(app, folder, values)
        more = care.refuse_kept(loaded.app, loaded.uses, values)
    except GearError as error:
        # The checkout's own path is nothing to whoever pushed.
        error.what = error.what.replace(str(folder), ".")
        error.where = error.where.replace(str(folder), f"commit {commit[:12]}")
        care.hide(error, values)
        raise
    own = app.variables()
    over = [name for name, value in own.items() if values.get(name, value) != value]
    more += tuple(f"{name}: as `gear app env` has it, not as {FILE}" for name in over)
    if found.old:
        more += (_rotated(app, found.old),)
    if values and memory.place(app.host.folder) is None:
        more += ("this machine has no memory for files: secrets of instances lie on its disk",)
    named = replace(loaded.app, name=app.name)
    if app.host.facts.engine is EngineKind.DOCKER:
        named = with_stores(named, folder)
    marks = opening.marks(app.host.folder, values)
    given = opening.marks(app.host.folder, {**values, **own})
    named = stand_in.put(named, values, marks, given)
    care.refuse_split(named, loaded.uses, {k: v for k, v in values.items() if k not in over})
    return Loaded(named, (*loaded.notices, *more), loaded.sources, loaded.uses)


def _rotated(app: ServerApp, old: Sequence[str]) -> str:
    one = len(old) == 1
    return (
        f"{', '.join(old)} {'is' if one else 'are'} encrypted to a key that this host had before:"
        f" gear secrets rotate --add host={host_key.public(app.host.folder)}"
    )


def _with_env_files(app: ServerApp, folder: Path, values: Mapping[str, str]) -> Loaded:
    """The Compose file, read while the env files that are not in Git lie in the checkout.

    They are not left there: an image that takes in the whole folder would keep them.
    """
    lent: list[Path] = []
    try:
        return _loaded(app, folder, values)
    except MissingEnvFilesError as error:
        problems = []
        for path in error.missing:
            name = path.relative_to(folder)
            kept = app.untracked / name
            if (text := _own(kept, app.untracked)) is None:
                what = f"the env_file {name} is neither in the commit nor at {kept}"
                problems.append(Problem(what=what))
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            durable.write(path, text, 0o600)
            lent.append(path)
        if problems:
            raise InvalidError(
                "env files that the Compose file names are missing",
                problems=problems,
                remedy="create them on the host; they stay out of Git",
            ) from error
        return _loaded(app, folder, values)
    finally:
        for path in lent:
            path.unlink()


def _loaded(app: ServerApp, folder: Path, values: Mapping[str, str]) -> Loaded:
    """The Compose file, with a value for everything that it needs.

    Raises:
        InvalidError: something has none; with all of them.
    """
    known = app.meanings(values)
    try:
        loaded = load(folder, environ=known, name=app.name)
    except MissingVariablesError as error:
        # What else is missing shows once these have a value, whichever.
        filled = known | {one.name: "1" for one in error.missing}
        missing = {one.name: Problem(what=one.what, where=one.where) for one in error.missing}
        with contextlib.suppress(GearError):
            missing = {**_unset(load(folder, environ=filled, name=app.name).app, filled), **missing}
        raise _without(app, list(missing.values())) from error
    if missing := _unset(loaded.app, known):
        raise _without(app, list(missing.values()))
    return loaded


def _unset(app: App, known: Mapping[str, str]) -> dict[str, Problem]:
    """Variables that secrets and configs are made of, and that have no value."""
    found: dict[str, Problem] = {}
    for kind, sources in (("secrets", app.secrets), ("configs", app.configs)):
        for name, source in sources.items():
            if source.environment is not None and source.environment not in known:
                what = f"{source.environment} has no value"
                found.setdefault(source.environment, Problem(what=what, where=f"{kind}.{name}"))
    return found


def _without(app: ServerApp, missing: Sequence[Problem]) -> InvalidError:
    # Of the usual remedies none is there: no `.env` comes with a push.
    several = len(missing) != 1
    return InvalidError(
        f"{len(missing)} variable{'s have' if several else ' has'} no value",
        problems=missing,
        remedy="`gear secrets set KEY` puts one into the repository, encrypted;"
        f" on the host, `gear app env {app.name} KEY=VALUE` sets one that is no secret",
    )


def lend_files(app: ServerApp, loaded: Loaded, folder: Path) -> None:
    """Put files of secrets and configs that are not in Git into a checkout.

    Args:
        app: the app, in whose `files/` folder they are.
        loaded: what the Compose file says.
        folder: the checkout.

    Raises:
        InvalidError: a file is in neither place; with all of them.
    """
    missing = []
    for kind, given in (("secrets", loaded.app.secrets), ("configs", loaded.app.configs)):
        for name, source in given.items():
            if source.file is None or source.file.startswith("/"):
                continue
            here, kept = folder / source.file, app.untracked / source.file
            if here.exists():
                continue
            text = _own(kept, app.untracked)
            if text is None:
                what = f"{source.file} is neither in the commit nor at {kept}"
                missing.append(Problem(where=f"{kind}.{name}.file", what=what))
                continue
            here.parent.mkdir(parents=True, exist_ok=True)
            durable.write(here, text, 0o600)
    if missing:
        raise InvalidError(
            "files that the Compose file names are missing",
            problems=missing,
            remedy="create them on the host; they stay out of Git",
        )


def _own(path: Path, folder: Path) -> bytes | None:
    """A file's bytes; None where there is none, or a link: instances may write in that folder."""
    if path.parent.resolve() != folder.resolve() / path.parent.relative_to(folder):
        return None
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    with os.fdopen(fd, "rb") as file:
        return file.read()
