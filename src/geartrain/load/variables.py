"""Variables that a Compose file uses and nobody has set, with every place of use.

Compose replaces an unset `${X}` by nothing and only warns; an empty password
or image tag then fails much later. An empty value that was set is fine.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from geartrain.app.finding import KeyPath, dotted
from geartrain.errors import InvalidError, Problem
from geartrain.load.locate import SourceFile
from geartrain.load.sources import MAX_BYTES

_WARNING = re.compile(r'The \\?"(\w+)\\?" variable is not set')
_USE = re.compile(r"\$(?:(\$)|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-+?])|\}))")


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a variable that has no default there. `required`: `${X:?}` or `${X?}`."""

    name: str
    where: str
    path: KeyPath
    required: str = ""  # "?": must be set, ":?": must not be empty either


def warned(messages: str) -> tuple[str, ...]:
    """The unset variables that Compose warned of, in its order."""
    return tuple(dict.fromkeys(_WARNING.findall(messages)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Unset(Problem):
    """A variable that has no value."""

    name: str


def uses(files: Sequence[SourceFile], *, defaults: bool = False) -> list[Use]:
    """Every use of a variable without a default, in the files' order; with `defaults` all."""
    found = []
    for file in files:
        for path, node in _scalars(file.node, (), set()):
            for name, operator, offset in _names(node.value, defaults=defaults):
                line = node.start_mark.line + 1 if node.start_mark else 0
                if node.style == "|":
                    line += 1 + node.value[:offset].count("\n")
                where = f"{file.shown}:{line} {dotted(path)}"
                found.append(Use(name, where, path, operator))
    return found


def _scalars(
    node: yaml.Node | None, path: KeyPath, seen: set[int]
) -> Iterator[tuple[KeyPath, yaml.ScalarNode]]:
    """Each scalar value once, at the place where it is written."""
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        yield path, node
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _scalars(item, (*path, index), seen)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _scalars(value, (*path, str(key.value)), seen)


def _names(text: str, *, defaults: bool = False) -> Iterator[tuple[str, str, int]]:
    for found in _USE.finditer(text):
        escaped, plain, braced, operator = found.groups()
        if escaped or (operator in ("-", ":-", "+", ":+") and not defaults):
            continue  # a default inside a default is found by the next match
        yield plain or braced, operator or "", found.start()


class MissingVariablesError(InvalidError):
    """Variables without a value; `missing` has one problem for each."""

    missing: tuple[Unset, ...] = ()


def raise_missing(problems: Sequence[Unset], remedy: str = "") -> None:
    """Raise when there are problems.

    Args:
        problems: one for each variable.
        remedy: what mends all of them.

    Raises:
        MissingVariablesError: there are.
    """
    found = tuple(dict.fromkeys(problems))
    if not found:
        return
    one, several = found[0], len(found) > 1
    if several or remedy:
        what = f"{len(found)} variables have no value" if several else "a variable has no value"
        error = MissingVariablesError(what, problems=found, remedy=remedy)
    else:
        error = MissingVariablesError(one.what, where=one.where, remedy=one.remedy)
    error.missing = found
    raise error


def in_env_file(path: Path, shown: str, names: Collection[str]) -> list[Unset]:
    """Unset variables that an env file refers to: mostly a dollar sign in a password.

    Args:
        path: the file.
        shown: its name in messages.
        names: the unset variables.
    """
    if not path.is_file() or path.stat().st_size > MAX_BYTES:
        return []
    problems = []
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        problems += [
            Unset(
                name=name,
                what=f"the variable {name} is not set",
                where=f"{shown}:{number}",
                remedy="put the value in single quotes when the dollar sign belongs to it,"
                f" or set {name}",
            )
            for name, _, _ in _names(line)
            if name in names and not line.lstrip().startswith("#")
        ]
    return problems


def missing(
    found: Sequence[Use], unset: Collection[str], empty: Collection[str] = ()
) -> list[Unset]:
    """One problem for each variable that is not set, with all places of use.

    Args:
        found: the uses, from `uses`.
        unset: names that have no value.
        empty: names that are set to nothing, which `${X:?}` does not take.
    """
    problems = []
    for name in dict.fromkeys([*(u.name for u in found), *unset]):
        here = [u for u in found if u.name == name]
        if name in empty:
            here = [u for u in here if u.required == ":?"]
        if name not in unset and not (name in empty and here):
            continue
        places = list(dict.fromkeys(u.where for u in here))
        rest = f" (also at {', '.join(places[1:])})" if len(places) > 1 else ""
        nothing = "" if any(u.required == ":?" for u in here) else f" (`{name}=` for nothing)"
        state = "empty" if name in empty else "not set"
        problems.append(
            Unset(
                name=name,
                what=f"the variable {name} is {state}{rest}",
                where=places[0] if places else "",
                remedy=f"set {name} in .env or in the environment{nothing},"
                f" or write ${{{name}:-default}}",
            )
        )
    return problems
