"""YAML that is safe to hand on: well formed, not too deep, no alias bomb.

A few lines of aliases can stand for billions of values. Sizes are added up on
the parser's events, before anything is built from them.
"""

from __future__ import annotations

from typing import Any

import yaml

from geartrain.errors import InvalidError

MAX_DEPTH = 64
MAX_EXPANDED = 8 * 1024 * 1024  # bytes, with every alias written out
_NODE = 16  # what a value costs besides its text


def check(text: str, shown: str) -> None:
    """Refuse YAML that is broken or would grow out of hand.

    Args:
        text: the file's text.
        shown: its name in messages.

    Raises:
        InvalidError: it is not YAML (with line, column and the line itself), it
            nests deeper than 64 levels, or its aliases stand for over 8 MiB.
    """
    try:
        _walk(text, shown)
    except yaml.MarkedYAMLError as error:
        raise _syntax(text, shown, error) from None
    except yaml.YAMLError as error:
        raise InvalidError(f"is not YAML: {error}".splitlines()[0], where=shown) from None


def _walk(text: str, shown: str) -> None:
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    total = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, total))
            sizes.pop(event.anchor or "", None)
            total += _NODE
            if len(open_nodes) > MAX_DEPTH:
                what = f"values nest deeper than {MAX_DEPTH} levels"
                raise InvalidError(what, where=f"{shown}:{line}")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor:
                sizes[anchor] = total - before
        elif isinstance(event, yaml.ScalarEvent):
            cost = _NODE + len(event.value)
            total += cost
            if event.anchor:
                sizes[event.anchor] = cost
        elif isinstance(event, yaml.AliasEvent):
            total += _alias(event, sizes, open_nodes, f"{shown}:{line}")
        if total > MAX_EXPANDED:
            raise InvalidError(
                "aliases (`*name`) make this file stand for over 8 MiB of values;"
                " it is refused before it is read",
                where=f"{shown}:{line}",
                remedy="use fewer aliases of aliases",
            )


def _alias(event: Any, sizes: dict[str, int], open_nodes: list[Any], where: str) -> int:
    if any(anchor == event.anchor for anchor, _ in open_nodes):
        raise InvalidError(f"'*{event.anchor}' stands inside its own anchor", where=where)
    if event.anchor not in sizes:
        raise InvalidError(f"'*{event.anchor}' has no anchor '&{event.anchor}'", where=where)
    return sizes[event.anchor]


def _syntax(text: str, shown: str, error: yaml.MarkedYAMLError) -> InvalidError:
    mark = error.problem_mark or error.context_mark
    what = f"is not YAML: {error.problem or error.context}"
    if mark is None:
        return InvalidError(what, where=shown)
    # str.splitlines() also breaks at form feeds and the like, YAML does not.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    line = lines[mark.line] if mark.line < len(lines) else ""
    column = mark.column + 1
    shown_line = line.replace("\t", " ")
    first = max(0, column - 60)
    excerpt = "".join(c if c.isprintable() else "?" for c in shown_line[first : first + 100])
    return InvalidError(
        what,
        where=f"{shown}:{mark.line + 1}:{column}",
        tail=(excerpt, " " * (column - 1 - first) + "^"),
    )
