"""A thing that is wrong in a Compose file, by its key path.

The decoder is pure and knows no lines; `geartrain.load.locate` adds them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong at `path`, and the way out."""

    path: KeyPath
    what: str
    remedy: str = ""


def dotted(path: KeyPath) -> str:
    """Write a key path as people say it: `services.web.ports[0]`.

    A key that could be misread (dots, spaces, control characters) is quoted.
    """
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        plain = part.replace("-", "").replace("_", "").isalnum() and part.isascii()
        shown = part if plain else shown_value(part)
        text += f".{shown}" if text else shown
    return text


def shown_value(value: object) -> str:
    """Show a value in a message: quoted, one line, at most 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that was probably meant, or None."""
    found = get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return found[0] if found else None
