"""The one writer of words in nginx's configuration language.

Source: `ngx_conf_read_token` in nginx's `src/core/ngx_conf_file.c`: a word ends
at white space, `;` or `{`; a quoted word takes `\\"` and `\\\\`. There is no way to
escape `$` where a directive expands variables.
"""

from __future__ import annotations

import re

from geartrain.errors import InvalidError

_BARE = re.compile(r"[A-Za-z0-9_./@:=~*+%,^?!&-]+")


def word(text: str, what: str = "value") -> str:
    """Write text as one word that means itself, quoted where needed.

    Args:
        text: what the word says.
        what: what it is, for the message.

    Raises:
        InvalidError: it holds `$` or a control character, which nginx cannot take literally.
    """
    if "$" in text:
        raise InvalidError(
            f"the {what} {text!r} holds '$', which nginx reads as a variable",
            remedy="rename it",
        )
    return expression(text, what)


def expression(text: str, what: str = "value") -> str:
    """Write one word in which `$name` stays a variable, or `$` a regular expression's end.

    Raises:
        InvalidError: it holds a control character.
    """
    if any(not c.isprintable() for c in text):
        raise InvalidError(
            f"the {what} {text!r} holds a control character", remedy="take it out or rename it"
        )
    if _BARE.fullmatch(text) or (text.startswith("$") and _BARE.fullmatch(text[1:])):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def time(seconds: float) -> str:
    """Write a time as nginx reads it: `10s`, or `2500ms` where seconds are not enough."""
    millis = round(seconds * 1000)
    return f"{millis}ms" if millis % 1000 else f"{millis // 1000}s"


def indent(lines: list[str], level: int = 1) -> list[str]:
    """Move lines to the right by four spaces a level; empty lines stay empty."""
    return [f"{'    ' * level}{line}" if line else "" for line in lines]


def block(head: str, *bodies: list[str]) -> list[str]:
    """Write `head { … }`, with an empty line between bodies."""
    lines = [f"{head} {{"]
    filled = [body for body in bodies if body]
    for index, body in enumerate(filled):
        lines += ([""] if index else []) + indent(body)
    return [*lines, "}"]
