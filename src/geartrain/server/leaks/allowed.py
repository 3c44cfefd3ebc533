"""`gear.leaks.toml`: what looks like a secret in this repository, and is none."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from fnmatch import fnmatchcase

import msgspec

from geartrain.errors import InvalidError

FILE = "gear.leaks.toml"


class Allowed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A false alarm.

    Attributes:
        path: the file, from the repository's root; `*` stands for anything.
        why: the reason, for whoever reads the file.
        mark: of the one secret, as the refused push says it; None: all that is in the file.
    """

    path: str
    why: str
    mark: str | None = None

    def covers(self, path: str, mark: str) -> bool:
        """Whether this is about a finding."""
        return fnmatchcase(path, self.path) and self.mark in (None, mark)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    allowed: tuple[Allowed, ...] = ()


def parse(text: str) -> Sequence[Allowed]:
    """Read the file.

    Raises:
        InvalidError: it is not TOML, or not of this shape.
    """
    try:
        found = msgspec.convert(tomllib.loads(text), _File).allowed
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise InvalidError(
            re.sub(r" - at `\$\.?(.*)`$", r": \1", str(error)),
            where=FILE,
            remedy='[[allowed]] with path = "…", why = "…", and mark = "…" for one secret alone',
        ) from error
    for one in found:
        if not one.why.strip():
            raise InvalidError(f"no reason is given for {one.path}", where=FILE, remedy='why = "…"')
    return found
