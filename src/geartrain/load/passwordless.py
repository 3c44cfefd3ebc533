"""Whether an app knows the password that its cache is given.

The best-known Compose file of all has `Redis(host="redis")` in its code. Such an
app reads no variable, so that no generated password can reach it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from geartrain.app.model import App, Role

# How sources, settings classes and templates name the variables that carry a password.
_KNOWS = re.compile(rb"redis[_.-]?(url|uri|pass|auth)", re.IGNORECASE)
_SKIPPED = frozenset(
    {".git", ".gear", ".venv", "venv", "node_modules", "__pycache__", "vendor", "dist", "target"}
)
MAX_FILES = 5_000
MAX_BYTES = 300_000  # of a file: what people write is smaller
MAX_TOTAL = 50_000_000


def with_open_caches(app: App, root: Path) -> tuple[App, tuple[str, ...]]:
    """Mark the caches that let the app in without a password, since it knows none.

    Args:
        app: its roles are known.
        root: the project folder.

    Returns:
        The app, and a notice for each.
    """
    asked = [
        s
        for s in app.of_role(Role.CACHE)
        if not any("requirepass" in word for word in s.command or ())
    ]
    if not asked or _named(app, [s.name for s in asked]) or _known(app, root):
        return app, ()
    found = {s.name: replace(s, passwordless=True) for s in asked}
    said = tuple(
        f"{name}: lets the app in without a password, as nothing of it reads REDIS_URL"
        " or REDIS_PASSWORD"
        for name in found
    )
    return replace(app, services={**app.services, **found}), said


def _named(app: App, names: list[str]) -> bool:
    """True when an environment has a URL of a cache, which is given a login."""
    pattern = re.compile(rf"(://|@)({'|'.join(map(re.escape, names))})\b")
    return any(
        pattern.search(value) or _KNOWS.search(key.encode())
        for service in app.services.values()
        for key, value in service.environment.items()
    )


def _known(app: App, root: Path) -> bool:
    """True when a source mentions a variable with the password; also when there is too much."""
    total = 0
    contexts = dict.fromkeys(s.build.context for s in app.services.values() if s.build)
    for number, path in enumerate(_files([root / context for context in contexts])):
        try:
            size = path.stat().st_size
            if size > MAX_BYTES or not path.is_file():
                continue
            total += size
            if number > MAX_FILES or total > MAX_TOTAL or _KNOWS.search(path.read_bytes()):
                return True
        except OSError:
            continue
    return False


def _files(folders: list[Path]) -> Iterator[Path]:
    for folder in folders:
        for here, below, names in os.walk(folder):
            below[:] = sorted(set(below) - _SKIPPED)
            yield from (Path(here) / name for name in sorted(names))
