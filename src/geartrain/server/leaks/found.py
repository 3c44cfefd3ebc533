"""What a search of a push says, from its process to the one that waits for it."""

from __future__ import annotations

import msgspec


class Leak(msgspec.Struct, frozen=True, kw_only=True):
    """Something that must not be in Git.

    Attributes:
        kind: what it is.
        shown: enough of it to know it by, and no more; "" for a file as a whole.
        mark: its name in `gear.leaks.toml`.
        path: the file it is in.
        line: from 1; 0 for a file as a whole.
        blob: the version of the file, as Git names it.
        commit: the first that has it.
        last: whether what is pushed still has it; otherwise only its history does.
    """

    kind: str
    shown: str
    mark: str
    path: str
    line: int
    blob: str
    commit: str = ""
    last: bool = False


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a search.

    Attributes:
        leaks: in the order of their discovery.
        files: how many versions of files are new, without the largest.
        searched: how many of them there was time for.
    """

    leaks: tuple[Leak, ...]
    files: int
    searched: int


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """How a search ended.

    Attributes:
        found: what it found; None when it could not begin.
        what: why it could not.
        where: the file that is wrong.
        remedy: what to do about it.
    """

    found: Found | None = None
    what: str = ""
    where: str = ""
    remedy: str = ""
