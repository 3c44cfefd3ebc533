"""Begins a search of a push, which goes on in a process of its own.

It needs little, so that it can be the first thing that a push does.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from geartrain import run

SECONDS = 60.0  # for the search; what it has not seen by then is said
MODULE = "geartrain.server.leaks"


class Beside(ExitStack):
    """A search that goes on; it ends with the block at the latest.

    Attributes:
        out: where its answer comes from; None when there is nothing to search.
    """

    out: IO[bytes] | None = None


def begin(repository: Path, objects: Path | None, commit: str) -> Beside:
    """Search the new files of a push while other work is done.

    Args:
        repository: that was pushed to.
        objects: the folder of the push's objects; None when it brought none.
        commit: what was pushed.
    """
    beside = Beside()
    if objects is not None:
        isolated = ["-I"] if sys.flags.isolated else []
        words: list[str | Path] = [repository, objects, commit, f"{SECONDS:g}"]
        argv = [sys.executable, *isolated, "-m", MODULE, *words]
        with Path(os.devnull).open("rb") as nothing:
            beside.out = beside.enter_context(run.reading(argv, nothing))
    return beside
