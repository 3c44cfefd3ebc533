"""YAML as Go's library reads and writes it: YAML 1.2 scalars, no timestamps.

PyYAML's own rules are YAML 1.1, where `no` is false and `12:30` a number.
"""

from __future__ import annotations

import re

import yaml

from geartrain.app.finding import KeyPath


class CoreLoader(yaml.CSafeLoader):
    """Plain scalars by the YAML 1.2 core schema; everything else is text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


for _tag, _pattern, _first in (
    ("null", r"(?:~|null|Null|NULL|)", ["~", "n", "N", ""]),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", list("-+.")),
    ("merge", r"<<", ["<"]),
):
    CoreLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first
    )


def parse(text: str) -> object:
    """Read what `compose config` printed, with `$$` as `$` again.

    Compose doubles every dollar sign of its output, so that it could be read
    as a Compose file once more.
    """
    value: object = yaml.load(text.replace("$$", "$"), Loader=CoreLoader)  # noqa: S506  # safe
    return value


def compose(text: str) -> yaml.Node | None:
    """Read a file into nodes, which know their lines. The guard has checked it before."""
    node: yaml.Node | None = yaml.compose(text, Loader=CoreLoader)
    return node


def entries(node: yaml.Node | None) -> list[tuple[yaml.Node, yaml.Node]]:
    """The entries of a mapping node as (key node, value node); merged ones come last."""
    if not isinstance(node, yaml.MappingNode):
        return []
    own: list[tuple[yaml.Node, yaml.Node]] = []
    merged: list[tuple[yaml.Node, yaml.Node]] = []
    for key, value in node.value:
        if key.tag == "tag:yaml.org,2002:merge":
            parts = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for part in parts:
                merged += entries(part)
        else:
            own.append((key, value))
    return own + merged


def step(node: yaml.Node | None, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """Follow one key or index: (the node to point at, the value's node)."""
    if isinstance(part, int):
        if isinstance(node, yaml.SequenceNode) and 0 <= part < len(node.value):
            return node.value[part], node.value[part]
        return None
    return next(((k, v) for k, v in entries(node) if k.value == part), None)


def keys(node: yaml.Node | None) -> list[str]:
    """The keys of a mapping node, in order."""
    return list(dict.fromkeys(str(key.value) for key, _ in entries(node)))


def walk(node: yaml.Node | None, path: KeyPath) -> yaml.Node | None:
    """The value's node at a path, or None."""
    for part in path:
        found = step(node, part)
        if found is None:
            return None
        node = found[1]
    return node


def texts(node: yaml.Node | None) -> list[str]:
    """Every scalar of a node, in order."""
    if isinstance(node, yaml.ScalarNode):
        return [node.value]
    if isinstance(node, yaml.SequenceNode):
        return [text for item in node.value for text in texts(item)]
    return [text for _, value in entries(node) for text in texts(value)]
