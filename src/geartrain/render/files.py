"""What renderers give back: a tree of files by relative path."""

from __future__ import annotations

from msgspec import Struct


class File(Struct, frozen=True):
    """One rendered file: its permission bits and its text."""

    mode: int
    text: str


Tree = dict[str, File]
"""Relative path (with `/`) → file."""
