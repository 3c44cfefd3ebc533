"""Reads the nginx configuration files that an app mounts into its nginx service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from geartrain.app.config_file import ConfigFile
from geartrain.errors import InvalidError, Problem

PLACE = "/etc/nginx"
MAX_BYTES = 1_000_000
MAX_FILES = 500


def read_sources(mounts: Sequence[tuple[str, Path]], root: Path) -> dict[str, ConfigFile]:
    """Read every configuration file at or below `/etc/nginx`, and `*.conf` mounted elsewhere.

    Args:
        mounts: container path → file or folder below `root`.
        root: the checkout of the release; nothing outside it is read.

    Returns:
        Container path → text, named by its path in the repository.

    Raises:
        InvalidError: a file is outside the repository, not text, too large, or one of too many.
    """
    home = root.resolve()
    found: dict[str, ConfigFile] = {}
    problems: list[Problem] = []
    for target, path in mounts:
        below = f"{target.rstrip('/')}/".startswith(f"{PLACE}/")
        if not below and path.suffix != ".conf":
            continue
        for inside, file in _files(path):
            name = str(file.relative_to(root)) if file.is_relative_to(root) else str(file)
            wrong = _wrong(file, home)
            if wrong:
                problems.append(Problem(what=wrong, where=name))
                continue
            at = f"{target.rstrip('/')}/{inside}" if inside else target
            try:
                found[at] = ConfigFile(name, file.read_text(encoding="utf-8"))
            except UnicodeDecodeError:
                # Certificates and the like lie there too, and nothing includes them.
                continue
            if len(found) > MAX_FILES:
                raise InvalidError(f"more than {MAX_FILES} files are mounted at {target}")
    if problems:
        raise InvalidError("the nginx configuration cannot be read", problems=problems)
    return found


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_file():
        yield "", path
    elif path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.is_file():
                yield str(file.relative_to(path)), file


def _wrong(file: Path, home: Path) -> str:
    if not file.resolve().is_relative_to(home):
        return "leads outside the repository"
    if file.stat().st_size > MAX_BYTES:
        return f"is larger than {MAX_BYTES // 1_000_000} MB"
    return ""
