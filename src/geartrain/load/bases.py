"""The images that a Dockerfile is built upon, and the same file with other ones in their place.

Only words are exchanged: the file keeps its lines, so that line numbers in messages stay true.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from geartrain.load.dockerfile_words import expand, split

_DIRECTIVE = re.compile(r"#\s*(syntax|escape|check)\s*=\s*(\S+)", re.I)
_HEREDOC = re.compile(r"(?:^|\s)\d*<<-?(['\"]?)([A-Za-z_]\w*)\1(?=\s|$)")
_FROM_FLAG = re.compile(r"(--from=)(\S+)")
_MOUNT = re.compile(r"--mount=\S+")
_MOUNT_FROM = re.compile(r"((?:=|,)from=)([^,\s]+)")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: `first` and `last` are its lines, counted from 0."""

    name: str
    value: str
    first: int
    last: int


@dataclass
class _Stage:
    names: tuple[str, ...]
    needs: list[str] = field(default_factory=list)  # stages and images, as they are named


def instructions(text: str) -> Iterator[Instruction]:
    """Every instruction with its lines; comments, continued lines and heredocs as Docker has them.

    Source: Dockerfile reference, "Format", "escape" and "Here-Documents".
    """
    lines = text.splitlines()
    escape = _directives(text).get("escape", "\\")
    number = 0
    while number < len(lines):
        line = lines[number].strip()
        if not line or line.startswith("#"):
            number += 1
            continue
        first, joined = number, ""
        while True:
            part = lines[number].rstrip()
            comment = number > first and (not part or part.lstrip().startswith("#"))
            more = comment or part.endswith(escape)
            if not comment:
                joined += part.removesuffix(escape) if part.endswith(escape) else part
            if not more or number + 1 >= len(lines):
                break
            number += 1
        name, _, value = joined.strip().partition(" ")
        if name.upper() in ("RUN", "COPY", "ADD"):
            for found in _HEREDOC.finditer(value):
                number = _end_of(found[2], lines, number)
        yield Instruction(name.upper(), value.strip(), first, number)
        number += 1


def _end_of(word: str, lines: list[str], number: int) -> int:
    """The line that ends a heredoc; where none does, it is none."""
    rest = range(number + 1, len(lines))
    return next((n for n in rest if lines[n].strip() == word), number)


def frontend(text: str) -> str:
    """The image of `# syntax=…`, which reads the file in BuildKit's place; "" when not named."""
    return _directives(text).get("syntax", "")


def named(
    text: str, *, target: str | None = None, args: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Every image that building a stage needs, in order; stages of the file and `scratch` aside.

    Args:
        text: the Dockerfile.
        target: the stage; default the last one.
        args: build arguments, which win over the defaults of `ARG`.
    """
    stages: list[_Stage] = []
    for one, values in _with_values(text, args or {}):
        if one.name == "FROM":
            image, name = _from(one.value, values)
            numbers = (str(len(stages)), name) if name else (str(len(stages)),)
            stages.append(_Stage(numbers, [image]))
        elif stages:
            stages[-1].needs += _others(one, values)
    by_name = {name: stage for stage in stages for name in stage.names}
    wanted = [by_name.get(target.lower()) if target else (stages[-1] if stages else None)]
    found: dict[str, None] = {}
    seen: set[int] = set()
    while wanted:
        stage = wanted.pop(0)
        if stage is None or id(stage) in seen:
            continue
        seen.add(id(stage))
        for need in stage.needs:
            # A stage is known from its FROM on; the one that a FROM names is an earlier one.
            if (other := by_name.get(need.lower())) is not None and other is not stage:
                wanted.append(other)
            elif need not in ("", "scratch"):
                found[need] = None
    return tuple(found)


def fitted(
    text: str,
    *,
    images: Mapping[str, str],
    args: Mapping[str, str] | None = None,
    frontend: bool = True,
    mounts: Sequence[str] = (),
) -> str:
    """The file with other images in place of those it names.

    Args:
        text: the Dockerfile.
        images: name → the one to use.
        args: build arguments.
        frontend: keep `# syntax=…`; without it, the builder's own reader is used.
        mounts: what every RUN gets besides its own, such as `type=secret,id=…`.
    """
    lines = text.splitlines()
    stages: set[str] = set()
    for one, values in _with_values(text, args or {}):
        if one.name == "FROM":
            image, name = _from(one.value, values)
            if image.lower() not in stages and images.get(image, image) != image:
                flags = [w for w in one.value.split() if w.startswith("--")]
                words = ["FROM", *flags, images[image], *(["AS", name] if name else [])]
                lines[one.first : one.last + 1] = [" ".join(words)] + [""] * (one.last - one.first)
            stages.add(name.lower() if name else "")
        elif one.name in ("COPY", "ADD", "RUN"):
            span = slice(one.first, one.last + 1)
            lines[span] = [_exchanged(line, values, images, stages) for line in lines[span]]
            if one.name == "RUN" and mounts:
                added = " ".join(f"--mount={mount}" for mount in mounts)
                lines[one.first] = re.sub(
                    r"(?i)^(\s*RUN)\s", rf"\1 {added} ", lines[one.first], count=1
                )
    if not frontend:
        lines = ["#" if (d := _DIRECTIVE.match(line)) and d[1].lower() == "syntax" else line
                 for line in lines]  # fmt: skip
    return "\n".join(lines) + "\n"


def _directives(text: str) -> dict[str, str]:
    """Parser directives, which stand before everything else."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        directive = _DIRECTIVE.fullmatch(line.strip())
        if directive is None:
            break
        found.setdefault(directive[1].lower(), directive[2])
    return found


def _with_values(
    text: str, given: Mapping[str, str]
) -> Iterator[tuple[Instruction, Mapping[str, str]]]:
    """Instructions, each with the values of the ARGs before the first FROM."""
    outer: dict[str, str] = {}
    started = False
    for one in instructions(text):
        started = started or one.name == "FROM"
        if one.name == "ARG" and not started:
            for word in split(one.value, outer):
                name, there, default = word.partition("=")
                if name in given or there:
                    outer[name] = given.get(name, default)
        yield one, outer


def _from(value: str, values: Mapping[str, str]) -> tuple[str, str]:
    """The image and the stage's name of a FROM."""
    words = [word for word in split(value, values) if not word.startswith("--")]
    name = words[2].lower() if len(words) >= 3 and words[1].upper() == "AS" else ""
    return (words[0] if words else ""), name


def _others(one: Instruction, values: Mapping[str, str]) -> list[str]:
    """Stages and images that an instruction copies from or mounts."""
    if one.name in ("COPY", "ADD"):
        flags = one.value.split("--from=", 1)
        return [expand(flags[1].split()[0], values)] if len(flags) == 2 and flags[1].split() else []
    if one.name == "RUN":
        mounts = _MOUNT.findall(one.value)
        return [expand(m[2], values) for mount in mounts for m in _MOUNT_FROM.finditer(mount)]
    return []


def _exchanged(
    line: str, values: Mapping[str, str], images: Mapping[str, str], stages: set[str]
) -> str:
    def one(found: re.Match[str]) -> str:
        name = expand(found[2], values)
        stage = name.lower() in stages or name.isdecimal()
        return found[0] if stage else f"{found[1]}{images.get(name, found[2])}"

    line = _FROM_FLAG.sub(one, line)
    return _MOUNT.sub(lambda mount: _MOUNT_FROM.sub(one, mount[0]), line)
