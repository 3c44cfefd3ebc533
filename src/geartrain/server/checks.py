"""Check commands of a pushed version: a second, throwaway home beside the app's own."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from geartrain.app.release import Release
from geartrain.engine.home import Home
from geartrain.engine.protocol import Outcome, Say
from geartrain.release.apply import Checks
from geartrain.release.check import check
from geartrain.server import engines
from geartrain.server.app import ServerApp

SUFFIX = "-check"


def checks(app: ServerApp, home: Home) -> Checks:
    """What runs an app's check commands.

    Args:
        app: the app.
        home: its home, whose checkout has the version's files.
    """
    folder = app.folder / "check"
    kind = app.host.facts.engine

    def run(release: Release, names: Sequence[str], say: Say) -> Sequence[Outcome]:
        # Under a name of its own, so that nothing of it is taken for the app's.
        name = _name(app)
        other = replace(release, app=replace(release.app, name=name))
        end_killed(app)  # what it left must not be taken for a fresh start
        folder.mkdir(mode=0o755)
        files, shared = folder / "files", app.host.folder
        scratch = engines.home_of(kind, name, home.project, folder, files, shared)
        engine = engines.engine_of(kind, scratch, app.values(home), app.repository)
        try:
            return check(engine, other, names, say)
        finally:
            engine.down()
            engine.erase()
            clear(folder)

    return run


def end_killed(app: ServerApp) -> None:
    """Stop and delete what a check that was killed left. The caller holds the app's lock."""
    folder = app.folder / "check"
    if not folder.exists():
        return
    clear(folder)
    folder.mkdir(mode=0o755)
    kind, shared = app.host.facts.engine, app.host.folder
    scratch = engines.home_of(kind, _name(app), app.folder, folder, folder / "files", shared)
    engine = engines.engine_of(kind, scratch, app.values(app.home()), app.repository)
    engine.down()
    engine.erase()
    clear(folder)


def _name(app: ServerApp) -> str:
    return app.name[: 40 - len(SUFFIX)] + SUFFIX


def clear(folder: Path) -> None:
    """Delete a throwaway home, and its data wherever that is."""
    if folder.exists():
        shutil.rmtree((folder / "data").resolve(), ignore_errors=True)
        shutil.rmtree(folder, onerror=_unless_gone)


def _unless_gone(_: object, __: object, error: tuple[object, BaseException, object]) -> None:
    # What ran there deletes some of its files itself, at its very end.
    if not isinstance(error[1], FileNotFoundError):
        raise error[1]
