"""How large a Compose file may become: variables, `extends`, env files, ranges of ports.

Each of these lets a small file stand for a huge one, as aliases do (`guard`).
The sizes are added up before Compose runs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from geartrain.errors import InvalidError
from geartrain.load import document, sources
from geartrain.load.locate import SourceFile

MAX_GROWN = 32 * 1024 * 1024  # bytes that Compose may make of all files
MAX_PORTS = 10_000
_REFERENCE = re.compile(r"\$\{?([A-Za-z_]\w*)")
_SETTING = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*[=:](.*)$")
_RANGE = re.compile(r"(\d{1,5})-(\d{1,5})")


def check(
    files: Sequence[SourceFile], env_files: Sequence[Path], dot_env: Path, root: Path
) -> None:
    """Refuse a model that would grow out of hand.

    Args:
        files: all files of the model.
        env_files: each env file as often as a service names it.
        dot_env: the `.env` beside the first file; it need not be there.
        root: the project folder, for names in messages.

    Raises:
        InvalidError: which of the files grows, and by what.
    """
    largest = 0
    total = 0
    known: dict[Path, int] = {}
    values: dict[str, int] = {}
    for path in (dot_env, *env_files):
        if path not in known:
            shown = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
            known[path] = _env_size(path, shown, values) if path.is_file() else 0
        total += known[path]
        largest = max([largest, *values.values()])
    text = "".join(file.text for file in files)
    services = [
        document.walk(f.node, ("services", n)) for f in files for n in f.keys_of("services")
    ]
    extending = sum(1 for s in services if document.step(s, "extends") is not None)
    total += len(text) * (1 + extending) + largest * text.count("$")
    if total > MAX_GROWN:
        raise InvalidError(
            "variables, env files and `extends` make this file stand for over"
            f" {MAX_GROWN // 1024 // 1024} MiB; it is refused before it is read",
            where=files[-1].shown,
        )
    _ports(files)


def _env_size(path: Path, shown: str, values: dict[str, int]) -> int:
    """The size of an env file with its own variables replaced."""
    total = 0
    for line in sources.read(path, shown).splitlines():
        refs = sum(values.get(name, 0) for name in _REFERENCE.findall(line))
        total += len(line) + refs
        if setting := _SETTING.match(line):
            values[setting[1]] = len(line) + refs
        if total > MAX_GROWN:
            raise InvalidError("variables of variables grow out of hand", where=shown)
    return total


def _ports(files: Sequence[SourceFile]) -> None:
    total = 0
    for file in files:
        for name in file.keys_of("services"):
            for key in ("ports", "expose"):
                node = document.walk(file.node, ("services", name, key))
                for text in document.texts(node):
                    total += max(
                        (int(last) - int(first) for first, last in _RANGE.findall(text)), default=0
                    )
        if total > MAX_PORTS:
            raise InvalidError(
                f"ranges of ports stand for over {MAX_PORTS} ports",
                where=file.shown,
                remedy="publish the ports that are used",
            )
