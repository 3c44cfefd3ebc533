"""Paths inside an image become paths on this machine. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

_SHELL_SAFE = re.compile(r"[A-Za-z0-9_./+@%:,=-]+")
_NESTED = re.compile(r"\$\(|`|<<|#|\$'|\$\{")
_BEFORE = r"(?:(?<![^\s=:,;\"'(\[{<>@|&])|(?<=\bfile://)|(?<=\bunix://)|(?<=:///))"
# values that are paths of URLs, not of files
_URL_PATH = re.compile(r"ROOT_PATH|PREFIX|SCRIPT_NAME|ROUTE|BASE_PATH|(?:^|_)(?:URL|URI)$")
_URL_OPTION = re.compile(r"--(?:root-path|script-name|[\w-]*prefix|base-path|[\w-]*url[\w-]*)")


class Paths:
    """Paths in the image and where they are here; the longest prefix wins.

    What is already a path here stays, also where one lies below the other.
    """

    def __init__(self, paths: Mapping[str, str]) -> None:
        clean = {_trim(path): _trim(to) for path, to in paths.items() if _trim(path)}
        self._paths = {to: to for to in clean.values() if to} | clean
        either = "|".join(re.escape(p) for p in sorted(self._paths, key=len, reverse=True))
        # a whole path component: `/app` is not in `/apple`, `/app-data`, `/app.py`
        self._pattern = re.compile(rf"{_BEFORE}({either})(?![\w.+@%~-])") if either else None

    def in_text(self, text: str) -> str:
        """Change the paths in a text that no shell reads."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: self._paths[found[1]], text)

    def in_shell(self, line: str) -> str:
        """Change the paths in a line for a shell, quoted as their place in it asks.

        In a line with nested commands or comments that place is not certain: there
        only a path that needs no quotes is put in.
        """
        if self._pattern is None:
            return line

        def swap(found: re.Match[str]) -> str:
            to = self._paths[found[1]]
            if _SHELL_SAFE.fullmatch(to):
                return to
            quoted = None if _NESTED.search(line) else _quoted(to, line[: found.start(1)])
            return found[1] if quoted is None else quoted

        return self._pattern.sub(swap, line)

    def in_argument(self, word: str, option: str) -> str:
        """Change the paths in one argument; `option` is the `--option` before it, or ""."""
        name = option or word.partition("=")[0]
        if _URL_OPTION.fullmatch(name) and "://" not in word:
            return word
        return self.in_text(word)

    def in_variable(self, name: str, value: str) -> str:
        """Change the paths in the value of the environment variable `name` (upper case)."""
        if _URL_PATH.search(name) and "://" not in value:
            return value
        return self.in_text(value)


def _quoted(path: str, before: str) -> str | None:
    """A path as the shell reads it back after `before` (POSIX, 2.2); None if it cannot be said."""
    quote, position = "", 0
    while position < len(before):
        char = before[position]
        if char == "\\" and quote != "'":
            position += 1
        elif char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        position += 1
    if "\n" in path or position > len(before):
        return None
    if quote == "'":
        return None if "'" in path else path
    special = r'([$`"\\])' if quote else r"([^A-Za-z0-9_./+@%:,=-])"
    return re.sub(special, r"\\\1", path)


def _trim(path: str) -> str:
    """A path without its last slash; "" for the root, which is never mapped."""
    return path.rstrip("/") if path.startswith("/") else ""
