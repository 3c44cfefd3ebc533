"""Key paths to lines: `docker-compose.yml:12 services.web.x-gear.port`.

Compose has merged several files and sections before the decoder sees them, so
a path is looked up in the files themselves. No line is better than a wrong one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from geartrain.app.finding import Finding, KeyPath, dotted
from geartrain.errors import InvalidError, Problem
from geartrain.load import document


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of the model, with its text."""

    shown: str
    text: str
    node: yaml.Node | None

    def keys_of(self, section: str) -> list[str]:
        """The keys of a top-level section, in order."""
        return document.keys(document.walk(self.node, (section,)))


def locate(files: Sequence[SourceFile], path: KeyPath) -> str:
    """Say where a key path is written: `file:line path`, or the path alone.

    Args:
        files: the files, in the order in which Compose merges them.
        path: the key path.
    """
    said = dotted(path)
    for file in reversed(files):
        line = _line(file.node, path, alone=_alone(files, path))
        if line is not None:
            return f"{file.shown}:{line} {said}".rstrip()
    return said


def problem(files: Sequence[SourceFile], finding: Finding) -> Problem:
    """A finding with its place."""
    return Problem(what=finding.what, where=locate(files, finding.path), remedy=finding.remedy)


def raise_all(problems: Sequence[Problem], several: str) -> None:
    """Raise when there are problems: one as the error itself, more as a list below `several`."""
    found = list(dict.fromkeys(problems))
    if len(found) == 1:
        raise InvalidError(found[0].what, where=found[0].where, remedy=found[0].remedy)
    if found:
        raise InvalidError(several, problems=found)


def _alone(files: Sequence[SourceFile], path: KeyPath) -> bool:
    """True when one file alone holds the entry, so that Compose has joined no lists."""
    entry = path[:2] if path[:1] == ("services",) else path[:1]
    return sum(1 for file in files if document.walk(file.node, entry) is not None) == 1


def _line(root: yaml.Node | None, path: KeyPath, *, alone: bool) -> int | None:
    node, at = root, root
    for depth, part in enumerate(path):
        if isinstance(part, int) and not _trusted(root, node, path, alone):
            break  # entries of joined lists have other numbers: the list's own line is right
        found = document.step(node, part)
        if found is None and depth >= 2 and path[0] == "services":
            found = _extended(root, path, depth)
        if found is None and isinstance(node, yaml.SequenceNode):
            found = _listed(node, part)
            if found is None and depth >= 3:
                break
        if found is None and isinstance(node, yaml.ScalarNode) and depth >= 3:
            break  # the short form of what Compose has written out: `- ./a:/b`
        if found is None:
            return None
        at, node = found
    if at is None or at.start_mark is None:
        return None
    return int(at.start_mark.line) + 1


def _trusted(root: yaml.Node | None, node: yaml.Node | None, path: KeyPath, alone: bool) -> bool:
    """True when a list's numbers in the file are those that Compose has written out."""
    if path[0] != "services":
        return alone
    ranges = len(path) > 2 and path[2] == "ports"
    extends = document.walk(root, (*path[:2], "extends")) is not None
    return alone and not ranges and not extends and isinstance(node, yaml.SequenceNode)


def _extended(
    root: yaml.Node | None, path: KeyPath, depth: int
) -> tuple[yaml.Node, yaml.Node] | None:
    """Follow `extends` to a service of the same file."""
    seen = {path[1]}
    service = document.walk(root, path[:2])
    while service is not None:
        extends = document.walk(service, ("extends",))
        if isinstance(extends, yaml.MappingNode):
            if document.walk(extends, ("file",)) is not None:
                return None
            extends = document.walk(extends, ("service",))
        if not isinstance(extends, yaml.ScalarNode) or extends.value in seen:
            return None
        seen.add(extends.value)
        service = document.walk(root, ("services", extends.value))
        parent = document.walk(service, path[2:depth])
        if parent is not None and (found := document.step(parent, path[depth])):
            return found
    return None


def _listed(node: yaml.SequenceNode, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """A key that the file writes in a list: `environment: [A=1]`, `volumes: [./a:/b]`."""
    hits = []
    for item in node.value:
        names: list[str] = []
        if isinstance(item, yaml.ScalarNode):
            names = [item.value.split("=", 1)[0], *item.value.split(":")[:2]]
        elif isinstance(item, yaml.MappingNode):
            values = [document.walk(item, (key,)) for key in ("target", "source")]
            names = [value.value for value in values if isinstance(value, yaml.ScalarNode)]
        if part in names:
            hits.append(item)
    return (hits[0], hits[0]) if len(hits) == 1 else None
