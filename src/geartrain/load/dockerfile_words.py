"""Words, quotes and variables as a Dockerfile has them.

Source: Dockerfile reference, "Environment replacement". Shell lines of RUN and
CMD are the shell's own and are not expanded here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?:(:?[-+])((?:[^{}$]|\$\w+|\$?\{[^{}]*\})*))?\})")


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace `$X`, `${X}`, `${X:-default}` and `${X:+other}`; `\\$` stays a dollar."""

    def one(found: re.Match[str]) -> str:
        name, operator, word = found[1] or found[2], found[3], found[4] or ""
        value = values.get(name)
        there = value is not None if operator in ("-", "+") else bool(value)
        if operator in (":-", "-"):
            return (value or "") if there else expand(word, values)
        if operator in (":+", "+"):
            return expand(word, values) if there else ""
        return value or ""

    parts = text.split("\\$")
    return "$".join(_VARIABLE.sub(one, part) for part in parts)


def split(text: str, values: Mapping[str, str]) -> list[str]:
    """Split into words: quotes group, single quotes keep dollars, values are not split again."""
    words: list[str] = []
    current: list[str] | None = None
    for kind, piece in _pieces(text):
        if kind == "space":
            if current is not None:
                words.append("".join(current))
            current = None
            continue
        current = current if current is not None else []
        current.append(piece if kind == "plain" else expand(piece, values))
    if current is not None:
        words.append("".join(current))
    return words


_PIECE = re.compile(
    r"(?P<space>\s+)"
    r"|'(?P<single>[^']*)'"
    r'|"(?P<double>(?:[^"\\]|\\.)*)"'
    r"|(?P<bare>(?:\$\{[^}]*\}|\\.|[^\s'\"\\])+)"
    r"|(?P<rest>.)",
    re.DOTALL,
)


def _pieces(text: str) -> list[tuple[str, str]]:
    found = []
    for piece in _PIECE.finditer(text):
        kind = piece.lastgroup or "rest"
        value = piece[kind]
        if kind == "single":
            found.append(("plain", value))
        elif kind in ("double", "bare"):
            found.append(("open", re.sub(r"\\([^$])", r"\1", value)))
        else:
            found.append((kind if kind == "space" else "plain", value))
    return found


def pairs(text: str, values: Mapping[str, str]) -> dict[str, str]:
    """Read `ENV`'s and `ARG`'s `key=value ...`, and `ENV key value with spaces`."""
    words = split(text, values)
    if words and "=" not in words[0]:
        name, _, rest = text.strip().partition(" ")
        return {name: expand(rest.strip(), values)} if rest else {}
    return {k: v for k, found, v in (word.partition("=") for word in words) if found and k}


_SEPARATORS = re.compile(r"&&|\|\||[;|\n]")
_PIP = re.compile(r"(?:(?:\S*/)?python[\d.]* -m )?(?:\S*/)?(?:uv )?pip[\d.]* install(?: |$)")
# Options of pip and uv whose next word is a value.
_TAKES = {
    "-r", "--requirement", "-c", "--constraint", "-e", "--editable", "-i", "--index-url",
    "--extra-index-url", "-f", "--find-links", "-t", "--target", "--prefix", "--root",
    "--python", "-p", "--trusted-host", "--no-binary", "--only-binary", "--cache-dir",
    "--platform", "--python-version", "--timeout", "--retries", "--proxy", "--cert",
    "--index", "--default-index", "--extra", "--group", "--upgrade-strategy", "--progress-bar",
}  # fmt: skip


def installs(line: str, values: Mapping[str, str]) -> list[str]:
    """The requirements that a RUN line installs with pip: `pip install flask gunicorn==23`.

    Files (`-r`), folders and options are left out; the engines look for those themselves.
    """
    found = []
    for command in _SEPARATORS.split(line):
        words = split(command.strip(), values)
        start = _PIP.search(" ".join(words) + " ")
        if start is None or "install" not in words:
            continue
        rest = iter(words[words.index("install") + 1 :])
        for word in rest:
            if word in _TAKES:
                next(rest, None)
            elif not word.startswith(("-", ".", "/")) and not word.endswith((".whl", ".tar.gz")):
                found.append(word)
    return found
