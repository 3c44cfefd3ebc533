"""Further files that a Compose file reads: `include`, `extends`, `env_file`.

Compose would read any file of the machine for these, so they are checked
before it runs: inside the repository, of a sane size, no alias bomb.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from geartrain.app.finding import KeyPath, shown_value
from geartrain.errors import InvalidError, Problem
from geartrain.load import document, guard, sources
from geartrain.load.dockerfile_words import expand
from geartrain.load.inside import leaves
from geartrain.load.locate import SourceFile, locate, raise_all

MAX_FILES = 64
# What is read here exactly as Compose reads it: no defaults inside of defaults, no escapes.
_SIMPLE = re.compile(r"(?:[^$\\]|\$[A-Za-z_]\w*|\$\{[A-Za-z_]\w*(?::?-[^$\\{}]*)?\})*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Model:
    """The files of a Compose model.

    `files` are merged (included ones first); services of `files` extend those
    of `extended`. `places` has each file that is named, and where; `needed` the
    env files that must be there, each with the service that is given it.
    """

    files: tuple[SourceFile, ...]
    extended: tuple[SourceFile, ...]
    env_files: tuple[Path, ...]
    places: dict[str, str]
    needed: tuple[tuple[str, Path], ...] = ()


@dataclass(frozen=True, slots=True)
class _Open:
    """A file whose references are still to be followed; they are relative to `base`."""

    file: SourceFile
    base: Path


@dataclass(frozen=True, slots=True)
class _Reference:
    kind: str  # include, extends, env_file
    at: KeyPath
    named: str
    base: str = ""  # include: its project_directory
    optional: bool = False  # env_file: `required: false`


def gather(
    paths: tuple[Path, ...], root: Path, variables: Callable[[], Mapping[str, str]]
) -> Model:
    """Read the Compose files and all that they include or extend.

    Args:
        paths: the main files, in the order in which they are merged.
        root: the project folder, without symbolic links in it.
        variables: gives what variables mean; called when a path has one in it.

    Raises:
        InvalidError: one is broken, too large, or outside the repository.
    """
    main = [_read(path, root) for path in paths]
    found: dict[str, list[SourceFile]] = {"include": [], "extends": []}
    env_files: list[Path] = []
    needed: list[tuple[str, Path]] = []
    places: dict[str, str] = {}
    problems: list[Problem] = []
    queue = [_Open(file, paths[0].parent) for file in main]
    seen = set(paths)
    while queue:
        here = queue.pop(0)
        for ref in _references(here.file.node):
            try:
                other = _resolve(ref.named, ref, here.base, root, variables)
                base = _resolve(ref.base, ref, here.base, root, variables) if ref.base else None
            except InvalidError as error:
                where = locate([here.file], ref.at)
                problems.append(Problem(what=error.what, where=where, remedy=error.remedy))
                continue
            places.setdefault(str(other), locate([here.file], ref.at))
            if ref.kind == "env_file":
                env_files.append(other)
                if not ref.optional and ref.at[0] == "services":
                    needed.append((str(ref.at[1]), other))
            elif other not in seen and other.is_file():
                seen.add(other)
                if len(seen) > MAX_FILES:
                    raise InvalidError(f"over {MAX_FILES} files are read", where=here.file.shown)
                read = _read(other, root)
                found[ref.kind].append(read)
                queue.append(_Open(read, base or other.parent))
    raise_all(problems, "files that cannot be read")
    return Model(
        (*found["include"], *main),
        tuple(found["extends"]),
        tuple(env_files),
        places,
        tuple(needed),
    )


def _resolve(
    named: str,
    ref: _Reference,
    base: Path,
    root: Path,
    variables: Callable[[], Mapping[str, str]],
) -> Path:
    if ref.kind == "include" and ("://" in named or named.startswith(("git@", "oci:"))):
        raise InvalidError(
            f"{shown_value(named)} is not in this repository",
            remedy="copy the file into the repository",
        )
    text = named
    if "$" in named:
        if ref.kind != "env_file" or not _SIMPLE.fullmatch(named):
            raise InvalidError(
                f"{shown_value(named)} has a variable in it", remedy="write the path out"
            )
        text = expand(named, variables())
    path = Path(os.path.normpath(base / text))
    if outside := leaves(str(path), root, "the file", ref.at):
        raise InvalidError(outside[0].what, remedy=outside[0].remedy)
    return path


def _read(path: Path, root: Path) -> SourceFile:
    shown = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    found = leaves(shown, root, "the file", ())
    if found:
        raise InvalidError(found[0].what, where=shown, remedy=found[0].remedy)
    text = sources.read(path, shown)
    guard.check(text, shown)
    return SourceFile(shown, text, document.compose(text))


def _references(root: yaml.Node | None) -> Iterator[_Reference]:
    """Every file that a Compose file names."""
    yield from _includes(document.walk(root, ("include",)))
    for name in document.keys(document.walk(root, ("services",))):
        at: KeyPath = ("services", name)
        extends = document.walk(root, (*at, "extends", "file"))
        if isinstance(extends, yaml.ScalarNode):
            yield _Reference("extends", (*at, "extends", "file"), extends.value)
        for key in ("env_file", "label_file"):
            for path, text in _paths(document.walk(root, (*at, key)), (*at, key)):
                if path[-1] in (key, "path") or isinstance(path[-1], int):
                    required = document.walk(root, (*path[:-1], "required"))
                    optional = path[-1] == "path" and _says_no(required)
                    yield _Reference("env_file", path, text, optional=optional)


def _says_no(node: yaml.Node | None) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value.lower() in ("false", "no", "off")


def _includes(node: yaml.Node | None) -> Iterator[_Reference]:
    entries = node.value if isinstance(node, yaml.SequenceNode) else ()
    for index, entry in enumerate(entries):
        at: KeyPath = ("include", index)
        if isinstance(entry, yaml.ScalarNode):
            yield _Reference("include", at, entry.value)
            continue
        folder = document.walk(entry, ("project_directory",))
        base = folder.value if isinstance(folder, yaml.ScalarNode) else ""
        for path, text in _paths(document.walk(entry, ("path",)), (*at, "path")):
            yield _Reference("include", path, text, base)
        for path, text in _paths(document.walk(entry, ("env_file",)), (*at, "env_file")):
            yield _Reference("env_file", path, text)


def _paths(node: yaml.Node | None, at: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(node, yaml.ScalarNode):
        yield at, node.value
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _paths(item, (*at, index))
    elif isinstance(node, yaml.MappingNode):
        for key, value in document.entries(node):
            yield from _paths(value, (*at, key.value))
