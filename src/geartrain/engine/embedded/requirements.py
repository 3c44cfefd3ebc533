"""Requirement files (pip's format), with the files that they name, and local projects."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from geartrain.errors import InvalidError

_INCLUDE = re.compile(r"(-r|--requirement|-c|--constraint)(?:\s*=\s*|\s+|(?<=-[rc]))(\S+)")
_EDITABLE = re.compile(r"(?:-e|--editable)(?:\s*=\s*|\s+|(?<=-e))(.+)")
_LOCAL = re.compile(r"\.{1,2}(?:/[^;#\s]*)?(?:\[[^]]*\])?$|\./[^;#\s]+$|file:(?://)?[^;#\s]+$")
_DEPTH = 20


@dataclass(frozen=True, slots=True)
class Requirements:
    """Everything that requirement files say, includes followed."""

    files: tuple[Path, ...] = ()
    lines: tuple[str, ...] = ()  # without includes and local projects
    projects: tuple[tuple[Path, str], ...] = ()  # (folder, extras) of `-e .`


def read_requirements(
    path: Path, before: Requirements, inside: Path, depth: int = 0
) -> Requirements:
    """Read a requirement file after others.

    Raises:
        InvalidError: a file that it names is not there or outside the folder
            `inside`, or files name each other in a circle.
    """
    if path in before.files:
        return before
    text = _text(path, inside, depth)
    read = replace(before, files=(*before.files, path))
    for number, line in enumerate(_logical(text), start=1):
        if found := _INCLUDE.match(line):
            name = path.parent / found[2].strip("\"'")
            if "://" in found[2]:
                read = replace(read, lines=(*read.lines, line))
                continue
            if not name.is_file():
                where = f"{path.name}:{number}"
                raise InvalidError(
                    f"{found[2]} is not there", where=where, remedy="commit the file"
                )
            if found[1] in ("-c", "--constraint"):
                inner = read_requirements(name, Requirements(read.files), inside, depth + 1)
                read = replace(read, files=inner.files, lines=(*read.lines, f"-c {name}"))
            else:
                read = read_requirements(name, read, inside, depth + 1)
        elif project := _local(line, path.parent):
            read = replace(read, projects=(*read.projects, project))
        else:
            read = replace(read, lines=(*read.lines, line))
    return read


def _text(path: Path, inside: Path, depth: int) -> str:
    if not path.resolve().is_relative_to(inside.resolve()):
        raise InvalidError(
            f"{path.name} leads outside the project folder",
            where=str(path),
            remedy="keep requirement files in the repository",
        )
    if depth > _DEPTH:
        raise InvalidError("requirement files name each other without end", where=path.name)
    try:
        return path.read_text(errors="replace")
    except OSError as error:
        raise InvalidError(
            f"{path.name} cannot be read: {error.strerror}", where=str(path)
        ) from error


def _local(line: str, folder: Path) -> tuple[Path, str] | None:
    """The folder and extras of a line that names a project of the repository."""
    editable = _EDITABLE.match(line)
    word = editable[1].strip() if editable else line
    if not _LOCAL.match(word):
        return None
    name, extras = local_project(word)
    return (folder / name, extras) if (folder / name).is_dir() else None


def local_project(word: str) -> tuple[str, str]:
    """`./lib[extra]` → (`./lib`, `extra`)."""
    name, _, extras = word.strip().partition("[")
    return re.sub(r"^file:(//)?", "", name) or ".", extras.rstrip("] ")


def _logical(text: str) -> list[str]:
    """Lines without comments, with continued ones joined."""
    joined = re.sub(r"\\\r?\n", " ", text)
    lines = (re.sub(r"(^|\s)#.*$", "", line).strip() for line in joined.splitlines())
    return [line for line in lines if line]
