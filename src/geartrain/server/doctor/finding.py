"""One thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was found.

    Attributes:
        what: it, in a few words with figures.
        ok: whether nobody needs to do anything.
        remedy: what to do.
    """

    what: str
    ok: bool = True
    remedy: str = ""
