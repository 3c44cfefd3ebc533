"""Compose's own errors, as one clear problem with its place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from geartrain.app.finding import KeyPath, nearest, shown_value
from geartrain.app.keys import SERVICE_KEYS, TOP_KEYS
from geartrain.errors import InvalidError, Problem
from geartrain.load import examples
from geartrain.load.locate import SourceFile, locate

_LOG = re.compile(r"^time=\"[^\"]*\" level=\w+ msg=.*$", re.MULTILINE)
_UNKNOWN = re.compile(r"validating (\S.*?): ?(\S*) +additional propert\w+ (.+) not allowed")
_UNKNOWN_ROOT = re.compile(r"validating (\S.*?): +additional propert\w+ (.+) not allowed")
_INVALID = re.compile(r"validating (\S.*?): (\S+) (.+)")
_INTERPOLATING = re.compile(r"error while interpolating (\S+): (.+)", re.DOTALL)
_FORMAT = re.compile(r"invalid interpolation format for (\S+)\.\n.*?\n(.+)", re.DOTALL)
_DECODING = re.compile(r"'(\S+?)' (.+)")
_DUPLICATE = re.compile(
    r"failed to parse (.+?): (?:yaml: .*?)?line (\d+): "
    r"mapping key \"(.+)\" already defined at line (\d+)"
)
_YAML_LINE = re.compile(r"yaml: (?:unmarshal errors:\s*)?line (\d+): (.+)", re.DOTALL)
_UNDEFINED = re.compile(r'service "(.+?)" (?:depends on|refers to) undefined (\w+) "?([^":]+)"?')
_NEITHER = re.compile(r'service "(.+?)" has neither an image nor a build context')
_CYCLE = re.compile(r"dependency cycle detected: (.+)")
_ENV_FILE = re.compile(r"env file (.+) not found")
_EXTENDS = re.compile(r'cannot extend service "(.+?)" in .*: service "(.+?)" not found')
_CIRCULAR = re.compile(r"Circular reference:\n\s+(\S+) in (\S+)")
_STAT = re.compile(r"(?:open|stat) (.+): no such file or directory")

_SECTION = {"service": "services", "network": "networks", "volume": "volumes",
            "secret": "secrets", "config": "configs"}  # fmt: skip
_USED_AS = {"service": "depends_on", "network": "networks", "volume": "volumes",
            "secret": "secrets", "config": "configs"}  # fmt: skip


def explain(message: str, files: Sequence[SourceFile], places: Mapping[str, str]) -> InvalidError:
    """Turn what Compose printed before it failed into an error.

    Args:
        message: its standard error.
        files: the model's files, for lines.
        places: where each further file is named, by its absolute path.
    """
    text = _LOG.sub("", message).strip()
    problem = _missing_file(text, places) or _problem(text, files)
    return InvalidError(problem.what, where=problem.where, remedy=problem.remedy)


def _problem(text: str, files: Sequence[SourceFile]) -> Problem:  # noqa: C901  # one arm an error
    if found := _UNKNOWN_ROOT.search(text):
        return _unknown((), found[2], files)
    if found := _UNKNOWN.search(text):
        return _unknown(key_path(found[2]), found[3], files)
    if found := _DUPLICATE.search(text):
        shown = _shown(found[1], files)
        what = f"the key {shown_value(found[3])} stands twice; the first is in line {found[4]}"
        return Problem(what=what, where=f"{shown}:{found[2]}", remedy="keep one of them")
    if found := _UNDEFINED.search(text):
        return _undefined(found[1], found[2], found[3], files)
    if found := _NEITHER.search(text):
        where = locate(files, ("services", found[1]))
        return Problem(
            what=f"the service '{found[1]}' has neither `image:` nor `build:`",
            where=where,
            remedy="name an image, or the folder to build",
        )
    if found := _CYCLE.search(text):
        return _cycle(found[1].strip().split(" -> "), files)
    if found := _EXTENDS.search(text):
        where = locate(files, ("services", found[1], "extends"))
        return Problem(what=f"there is no service '{found[2]}' to extend", where=where)
    if found := _CIRCULAR.search(text):
        where = locate(files, ("services", found[1], "extends"))
        return Problem(what=f"the service '{found[1]}' extends itself", where=where)
    if found := _FORMAT.search(text):
        where = locate(files, key_path(found[1]))
        what = f"{shown_value(found[2].strip())} is not a variable"
        return Problem(what=what, where=where, remedy="write ${NAME}, or $$ for a dollar sign")
    if found := _INTERPOLATING.search(text):
        return Problem(what=_cast(found[2]), where=locate(files, key_path(found[1])))
    if found := _DECODING.search(text):
        path = key_path(found[1])
        return Problem(what=found[2].strip(), where=locate(files, path))
    if found := _INVALID.search(text):
        where = locate(files, key_path(found[2]))
        if "time.Time" in found[3]:
            return Problem(what="this is read as a date", where=where, remedy="put it in quotes")
        return Problem(what=found[3].strip(), where=where)
    if found := _YAML_LINE.search(text):
        where = f"{files[-1].shown}:{found[1]}" if len(files) == 1 else ""
        return Problem(what=f"is not a Compose file: {found[2].strip()}", where=where)
    shown = files[-1].shown if len(files) == 1 else ""
    what = text.removesuffix(": invalid compose project") or "Compose failed without a word"
    return Problem(what=what, where=shown)


def _missing_file(text: str, places: Mapping[str, str]) -> Problem | None:
    if found := _ENV_FILE.search(text):
        return no_env_file(Path(found[1]), places)
    if found := _STAT.search(text):
        return Problem(what=f"the file {found[1]} is not there", where=places.get(found[1], ""))
    return None


class MissingEnvFilesError(InvalidError):
    """Env files that services must be given are not there: `missing`, absolute."""

    def __init__(self, missing: Sequence[Path], places: Mapping[str, str]) -> None:
        self.missing = tuple(dict.fromkeys(missing))
        problems = [no_env_file(path, places) for path in self.missing]
        if len(problems) == 1:
            super().__init__(problems[0].what, where=problems[0].where, remedy=problems[0].remedy)
        else:
            super().__init__(f"{len(problems)} env files are not there", problems=problems)


def no_env_file(path: Path, places: Mapping[str, str]) -> Problem:
    """An env file that is not there, with the example that the author left for it."""
    remedy = "make it"
    if example := examples.of(path):
        remedy = f"cp {example} {path.name} (in {path.parent}), and look through it"
    return Problem(
        what=f"the env_file {path} is not there",
        where=places.get(str(path), ""),
        remedy=f"{remedy}; or say `required: false`",
    )


def _unknown(path: KeyPath, listed: str, files: Sequence[SourceFile]) -> Problem:
    names = re.findall(r"'([^']*)'", listed) or [listed]
    name = sorted(names)[0]
    if path == ("services",):
        what = f"{shown_value(name)} is not a service name"
        remedy = "use letters, digits, '-', '_' and '.'"
        return Problem(what=what, where=locate(files, (*path, name)), remedy=remedy)
    known = TOP_KEYS if not path else SERVICE_KEYS if len(path) == 2 else {}
    words = [f"unknown key {shown_value(name)}"]
    if guess := nearest(name, known):
        words.append(f"did you mean '{guess}'?")
    if len(names) > 1:
        others = ", ".join(shown_value(n) for n in sorted(names)[1:])
        words.append(f"unknown here too: {others}")
    return Problem(
        what="; ".join(words),
        where=locate(files, (*path, name)),
        remedy="" if guess else "take it away, or name it x-... if it is yours",
    )


def _undefined(service: str, kind: str, name: str, files: Sequence[SourceFile]) -> Problem:
    section = _SECTION.get(kind, kind)
    path: KeyPath = ("services", service, _USED_AS.get(kind, kind), name)
    known = [key for file in files for key in file.keys_of(section)]
    what = f"the service '{service}' uses the {kind} '{name}', which is not in the file"
    if guess := nearest(name, known):
        what += f"; did you mean '{guess}'?"
    where = locate(files, path)
    if ":" not in where:
        where = locate(files, path[:3])
    return Problem(what=what, where=where, remedy=f"add it under `{section}:`, or take it away")


def _cycle(ring: list[str], files: Sequence[SourceFile]) -> Problem:
    # Turned so that the same cycle reads the same each time, whatever Compose met first.
    order = [name for file in files for name in file.keys_of("services")]
    members = ring[:-1]
    start = min(range(len(members)), key=lambda i: (order + members).index(members[i]))
    turned = members[start:] + members[:start]
    places = [locate(files, ("services", name, "depends_on")).split(" ")[0] for name in turned]
    what = f"services wait for each other: {' -> '.join([*turned, turned[0]])}"
    return Problem(
        what=f"{what} ({', '.join(places)})",
        where=locate(files, ("services", turned[0], "depends_on")),
        remedy="take one of these `depends_on` away",
    )


def _cast(text: str) -> str:
    if found := re.search(r'parsing "(.*?)"', text):
        kind = "a whole number" if "Atoi" in text or "ParseInt" in text else "a number"
        return f"{shown_value(found[1])} is not {'true or false' if 'ParseBool' in text else kind}"
    return text.strip()


def _shown(path: str, files: Sequence[SourceFile]) -> str:
    return next((f.shown for f in files if path.endswith(f"/{f.shown}") or path == f.shown), path)


def key_path(text: str) -> KeyPath:
    """Read a path as Compose writes it: `services.web.ports.0`, `services[web].command`."""
    parts = re.findall(r"[^.\[\]]+", text)
    return tuple(int(part) if part.isdecimal() else part for part in parts)
