"""Restarts that somebody asked for: what is seen meanwhile says nothing of the release."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from geartrain.engine.home import Home

FILE = "restarted"


@contextmanager
def restarting(home: Home, say: object = None) -> Iterator[None]:
    """Have nobody else work on an app while its instances are restarted, and remember when.

    Args:
        home: the app's.
        say: called with a sentence when there is somebody to wait for.
    """
    with home.lock("`gear restart`", say):
        try:
            yield
        finally:
            (home.folder / FILE).touch()


def last(home: Home) -> float:
    """When the last restart was over, as Unix time; 0.0 when there was none."""
    try:
        return (home.folder / FILE).stat().st_mtime
    except FileNotFoundError:
        return 0.0
