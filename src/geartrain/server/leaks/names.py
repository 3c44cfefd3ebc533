"""Files that are secrets by their name."""

from __future__ import annotations

import posixpath
import re

_EXAMPLE = ("default", "defaults", "dist", "example", "sample", "schema", "template")
_ASSIGNED = re.compile(
    r"^[ \t]*(?:export[ \t]+)?[A-Za-z_]\w*[ \t]*=[ \t]*(?!['\"]{2}[ \t]*$)[^\s#]", re.MULTILINE
)
_STORES = (".jks", ".kdbx", ".keystore", ".p12", ".pfx")


def kind(path: str, text: str | None) -> str:
    """What a file is a store of, or "".

    A `.env` that gives nothing a value is none, and neither is one that says in its name that it
    is an example.

    Args:
        path: its path in the repository.
        text: what is in it; None when it is no text.
    """
    name = posixpath.basename(path).lower()
    if name.endswith(_STORES):
        return "a store of keys"
    if name != ".env" and not name.startswith(".env."):
        return ""
    if name.split(".")[-1] in _EXAMPLE or text is None or not _ASSIGNED.search(text):
        return ""
    return "a file of variables for one machine"
