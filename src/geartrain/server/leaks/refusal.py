"""Refuses a push that has secrets in it, after a search that goes on beside it."""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import IO

import msgspec

from geartrain.errors import InvalidError, Problem
from geartrain.server.leaks.allowed import FILE
from geartrain.server.leaks.begin import SECONDS, Beside
from geartrain.server.leaks.found import Answer, Found, Leak

GRACE = 10.0  # seconds for its start and for its end
QUIET = 2.0  # seconds that nobody is told to wait for it
SHOWN = 10


def judge(beside: Beside, say: Callable[[str], None]) -> None:
    """Wait for a search's end.

    Args:
        beside: the search.
        say: told what is worth knowing besides.

    Raises:
        InvalidError: there are secrets in the push, or the list of false alarms is wrong.
    """
    if beside.out is None:
        return
    with beside:
        answer = _answer(beside.out, say)
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


def _answer(out: IO[bytes], say: Callable[[str], None]) -> Answer | None:
    if not select.select([out], [], [], QUIET)[0]:
        say("  · searching the new files for keys and tokens")
        if not select.select([out], [], [], SECONDS + GRACE - QUIET)[0]:
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
