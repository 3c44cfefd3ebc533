"""A Dockerfile's last (or target) stage into the model's `Image`.

Nothing is built or run: this reads what the file says about running the image,
for an engine that runs it without Docker, and for the port and role.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO

from geartrain.app.model import Image
from geartrain.load.dockerfile_words import expand, installs, pairs, split

_HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")
_FLAG = re.compile(r"^--([a-z-]+)(?:=(\S+))?\s+")
SHELL = ("/bin/sh", "-c")


@dataclass
class _Stage:
    """One `FROM` while it is read."""

    base: str = ""
    args: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    working_dir: str = ""
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    command_here: bool = False
    shell: tuple[str, ...] = SHELL
    ports: list[int] = field(default_factory=list)
    copies: list[tuple[str, str]] = field(default_factory=list)
    installs: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)

    @property
    def values(self) -> dict[str, str]:
        return {**self.args, **self.environment}

    def image(self) -> Image:
        return Image(
            base=self.base,
            command=self.command,
            entrypoint=self.entrypoint,
            environment=self.environment,
            working_dir=self.working_dir,
            ports=tuple(dict.fromkeys(self.ports)),
            copies=tuple(self.copies),
            installs=tuple(dict.fromkeys(self.installs)),
            runs=tuple(self.runs),
        )


def read(text: str, *, target: str | None = None, args: Mapping[str, str] | None = None) -> Image:
    """Read a Dockerfile.

    Args:
        text: the file.
        target: the stage to read; default the last one.
        args: build arguments, which win over the defaults of `ARG`.

    Returns:
        The image. `copies` have a target that ends in `/` when it is a folder
        into which the source goes. Files from earlier stages count as copied
        from where those stages have them.

    Raises:
        LookupError: there is no stage (of that name).
    """
    given = dict(args or {})
    outer: dict[str, str] = {}
    stages: dict[str, _Stage] = {}
    stage: _Stage | None = None
    for name, value in _instructions(text):
        if name == "FROM":
            if target and stage is not None and target.lower() in stages:
                break
            stage = _from(value, outer, stages)
        elif stage is None:
            if name == "ARG":
                outer |= _arg(value, given, outer)
        elif name == "ARG":
            stage.args |= _arg(value, given, stage.values, outer)
        else:
            _apply(stage, name, value, stages)
    found = stages.get(target.lower()) if target else stage
    if found is None:
        raise LookupError(f"it has no stage '{target}'" if target else "it has no FROM")
    return found.image()


def _instructions(text: str) -> list[tuple[str, str]]:
    from dockerfile_parse import DockerfileParser  # 25 ms

    plain = "\n".join(_without_heredocs(text.replace("\r\n", "\n").split("\n")))
    parser = DockerfileParser(fileobj=BytesIO(plain.encode()))
    return [(str(i["instruction"]).upper(), str(i["value"])) for i in parser.structure]


def _without_heredocs(lines: list[str]) -> list[str]:
    """`RUN <<EOF` bodies become one line, so that they are not read as instructions."""
    found: list[str] = []
    rest = iter(lines)
    for line in rest:
        word = line.lstrip().split(" ", 1)[0].upper()
        start = _HEREDOC.search(line) if word in ("RUN", "COPY", "ADD") else None
        if start is None:
            found.append(line)
            continue
        body = []
        for inner in rest:
            if inner.strip() == start[2]:
                break
            body.append(inner.strip())
        if word == "RUN":
            found.append(f"RUN {' && '.join(b for b in body if b and not b.startswith('#'))}")
    return found


def _arg(
    text: str,
    given: Mapping[str, str],
    values: Mapping[str, str],
    outer: Mapping[str, str] | None = None,
) -> dict[str, str]:
    found = {}
    for word in split(text, values):
        name, has_default, default = word.partition("=")
        if name in given:
            found[name] = given[name]
        elif has_default:
            found[name] = default
        elif outer and name in outer:
            found[name] = outer[name]
    return found


def _from(text: str, outer: Mapping[str, str], stages: dict[str, _Stage]) -> _Stage:
    words = [w for w in split(text, outer) if not w.startswith("--")]
    base = words[0] if words else ""
    parent = stages.get(base.lower())
    stage = _Stage(base=base)
    if parent is not None:
        stage = _Stage(
            base=parent.base,
            environment=dict(parent.environment),
            working_dir=parent.working_dir,
            command=parent.command,
            entrypoint=parent.entrypoint,
            shell=parent.shell,
            ports=list(parent.ports),
            copies=list(parent.copies),
            installs=list(parent.installs),
            runs=list(parent.runs),
        )
    numbers = sum(1 for key in stages if key.isdecimal())
    stages[str(numbers)] = stage
    if len(words) >= 3 and words[1].upper() == "AS":
        stages[words[2].lower()] = stage
    return stage


def _apply(stage: _Stage, name: str, value: str, stages: Mapping[str, _Stage]) -> None:
    match name:
        case "ENV":
            stage.environment |= pairs(value, stage.values)
        case "WORKDIR":
            path = expand(value.strip().strip("\"'"), stage.values)
            stage.working_dir = posixpath.normpath(posixpath.join(stage.working_dir or "/", path))
        case "CMD":
            stage.command, stage.command_here = _words(value, stage.shell), True
        case "ENTRYPOINT":
            stage.entrypoint = _words(value, stage.shell)
            # A new entry point drops an inherited command.
            stage.command = stage.command if stage.command_here else ()
        case "SHELL":
            stage.shell = _words(value, ()) or SHELL
        case "EXPOSE":
            stage.ports += _exposed(split(value, stage.values))
        case "COPY" | "ADD":
            _copy(stage, value, stages)
        case "RUN":
            line = _without_flags(value)[1].strip()
            stage.runs.append(line)
            stage.installs += installs(_run_text(line), stage.values)


def _exposed(words: list[str]) -> list[int]:
    found = []
    for word in words:
        number, _, protocol = word.partition("/")
        first = number.split("-")[0]
        if protocol in ("", "tcp") and first.isascii() and first.isdecimal():
            found += [int(first)] if 1 <= int(first) <= 65535 else []
    return found


def _words(value: str, shell: tuple[str, ...]) -> tuple[str, ...]:
    listed = _json_words(value)
    if listed is not None:
        return listed
    line = value.strip()
    return (*shell, line) if line and shell else ()


def _json_words(value: str) -> tuple[str, ...] | None:
    if not value.lstrip().startswith("["):
        return None
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return tuple(found) if all(isinstance(word, str) for word in found) else None


def _run_text(line: str) -> str:
    listed = _json_words(line)
    return line if listed is None else " ".join(listed)


def _without_flags(value: str) -> tuple[dict[str, str], str]:
    flags, rest = {}, value.lstrip()
    while found := _FLAG.match(rest):
        flags[found[1]] = found[2] or ""
        rest = rest[found.end() :]
    return flags, rest


def _copy(stage: _Stage, value: str, stages: Mapping[str, _Stage]) -> None:
    flags, rest = _without_flags(value)
    listed = _json_words(rest)
    words = (
        [expand(word, stage.values) for word in listed]
        if listed is not None
        else split(rest, stage.values)
    )
    if len(words) < 2:
        return
    *given, last = words
    target = posixpath.normpath(posixpath.join(stage.working_dir or "/", last))
    folder = last.endswith(("/", "/.")) or last == "." or len(given) > 1
    folder = folder or target == stage.working_dir
    target = "/" if target in ("/", "//") else target + ("/" if folder else "")
    if "from" in flags:
        other = stages.get(expand(flags["from"], stage.values).lower())
        if other is not None:
            _copy_from(stage, other, given, target.rstrip("/") or "/")
        return
    for source in given:
        if "://" not in source and not source.startswith("git@"):
            path = posixpath.normpath(posixpath.join("/", source)).lstrip("/") or "."
            stage.copies.append((path, target))


def _copy_from(stage: _Stage, other: _Stage, given: list[str], target: str) -> None:
    """What an earlier stage has copied from the context comes along at its new place."""
    for source in given:
        path = posixpath.normpath(posixpath.join("/", source))
        for origin, placed in other.copies:
            at = placed.rstrip("/") or "/"
            tail = "/" if placed.endswith("/") else ""
            if at == path or at.startswith(f"{path.rstrip('/')}/"):
                below = at[len(path.rstrip("/")) :].lstrip("/")
                stage.copies.append((origin, posixpath.join(target, below).rstrip("/") + tail))
    stage.installs += other.installs
    stage.runs += other.runs
