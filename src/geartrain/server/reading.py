"""The Compose file of a pushed commit, read in its checkout."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec.structs import replace

from geartrain import durable
from geartrain.errors import GearError, InvalidError, Problem
from geartrain.load import Loaded, load
from geartrain.load.variables import MissingVariablesError
from geartrain.server.app import ServerApp


def read(app: ServerApp, folder: Path, commit: str) -> Loaded:
    """What the Compose file of a checkout says; the app has the name that it has on this host.

    Args:
        app: the app.
        folder: the checkout.
        commit: what messages call it.

    Raises:
        GearError: it cannot be released; every finding at once.
    """
    try:
        loaded = load(folder, environ=app.meanings(), name=app.name, meanwhile=app.import_engine)
    except MissingVariablesError as error:
        # Of the usual remedies only one is there: no `.env` comes with a push.
        raise InvalidError(
            f"{len(error.missing)} variables have no value",
            problems=[Problem(what=one.what, where=one.where) for one in error.missing],
            remedy=f"on the host, `gear app env {app.name} KEY=VALUE` sets one",
        ) from error
    except GearError as error:
        # The checkout's own path is nothing to whoever pushed.
        error.what = error.what.replace(str(folder), ".")
        error.where = error.where.replace(str(folder), f"commit {commit[:12]}")
        raise
    return Loaded(replace(loaded.app, name=app.name), loaded.notices, loaded.sources)


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
