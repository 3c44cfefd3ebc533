"""Refuses a push that has secrets in it, after a search that goes on beside it."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from geartrain import run
from geartrain.errors import InvalidError, Problem
from geartrain.server.leaks.allowed import FILE
from geartrain.server.leaks.found import Answer, Found, Leak

SECONDS = 60.0  # for the search; what it has not seen by then is said
GRACE = 10.0  # seconds for its start and for its end
QUIET = 2.0  # seconds that nobody is told to wait for it
SHOWN = 10
MODULE = "geartrain.server.leaks"


@contextmanager
def searched(repository: Path, objects: Path | None, commit: str) -> Iterator[Search]:
    """Search the new files of a push while other work is done.

    Args:
        repository: that was pushed to.
        objects: the folder of the push's objects; None when it brought none.
        commit: what was pushed.
    """
    if objects is None:
        yield Search(None)
        return
    isolated = ["-I"] if sys.flags.isolated else []
    words: list[str | Path] = [repository, objects, commit, f"{SECONDS:g}"]
    with (
        Path(os.devnull).open("rb") as nothing,
        run.reading([sys.executable, *isolated, "-m", MODULE, *words], nothing) as out,
    ):
        yield Search(out)


class Search:
    """A search that has begun.

    Args:
        out: where its answer comes from; None when there is nothing to search.
    """

    def __init__(self, out: IO[bytes] | None) -> None:
        self._out = out
        self._until = time.monotonic() + SECONDS + GRACE

    def judge(self, say: Callable[[str], None]) -> None:
        """Wait for its end.

        Args:
            say: told what is worth knowing besides.

        Raises:
            InvalidError: there are secrets in the push, or the list of false alarms is wrong.
        """
        if self._out is None:
            return
        answer = self._answer(self._out, say)
        if answer is None:
            say("  · the search for keys and tokens in the new files broke off: nothing is known")
            return
        if answer.found is None:
            raise InvalidError(answer.what, where=answer.where, remedy=answer.remedy)
        if answer.found.leaks:
            raise _refused(answer.found)
        if answer.found.searched < answer.found.files:
            say(
                f"  · keys and tokens were searched for in {answer.found.searched:,} of"
                f" {answer.found.files:,} new files, the newest first; the time was up"
            )

    def _answer(self, out: IO[bytes], say: Callable[[str], None]) -> Answer | None:
        if not select.select([out], [], [], QUIET)[0]:
            say("  · searching the new files for keys and tokens")
            if not select.select([out], [], [], max(self._until - time.monotonic(), 0.0))[0]:
                return None
        said = out.read()
        return msgspec.json.decode(said, type=Answer) if said else None


def _refused(found: Found) -> InvalidError:
    several = len(found.leaks) != 1
    more = len(found.leaks) - SHOWN
    return InvalidError(
        f"the push has {len(found.leaks)} secret{'s' if several else ''} in it"
        + (f"; the first {SHOWN}:" if more > 0 else ""),
        problems=[_problem(leak) for leak in found.leaks[:SHOWN]],
        remedy=f"take {'them' if several else 'it'} out of the commits: git commit --amend, or"
        " git rebase -i; `gear secrets set KEY` keeps a secret in Git, encrypted."
        f" What is none is allowed in {FILE}, by its path and mark",
    )


def _problem(leak: Leak) -> Problem:
    said = f"{leak.kind} {leak.shown}" if leak.shown else leak.kind
    gone = "" if leak.last else ", and is in the history though a later one has it no more"
    commit = f"came with the commit {leak.commit}{gone}; " if leak.commit else ""
    path = leak.path if leak.path.isprintable() else repr(leak.path)
    return Problem(
        where=f"{path}:{leak.line}" if leak.line else path,
        what=f"{said} ({commit}mark {leak.mark})",
    )
