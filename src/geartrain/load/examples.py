"""Examples that authors leave for files that are not in Git: `.env.example`, `env.sample`."""

from __future__ import annotations

import re
from pathlib import Path

_MARK = re.compile(r"[._-]?(example|sample|template|dist|default|defaults)", re.IGNORECASE)


def of(path: Path) -> str:
    """The name of the example for a file, "" when there is none.

    Args:
        path: the file that is missing; its example lies beside it.
    """
    wanted = path.name.lstrip(".")
    try:
        names = sorted(other.name for other in path.parent.iterdir() if other.is_file())
    except OSError:
        return ""
    for name in names:
        plain = _MARK.sub("", name, count=1)
        if plain != name and plain.lstrip("._-") == wanted:
            return name
    return ""
