"""Which Python a service asks for, and which one of this machine it gets.

No program is run to find it: installed interpreters are known by their names.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Interpreter:
    """An interpreter of this machine. `version` reads like `3.12`."""

    path: Path
    version: str
    wanted: str | None

    @property
    def notice(self) -> str:
        """What to tell the user; "" when they get what they asked for."""
        if self.wanted is None or self.wanted in (self.version, self.version.split(".")[0]):
            return ""
        return f"runs on Python {self.version} instead of {self.wanted}"


# base images by whose name the language is known
_OTHERS = re.compile(
    r"(?:^|/)(node|golang|go|ruby|rails|openjdk|eclipse-temurin|amazoncorretto|ibm-semeru-runtimes|php"
    r"|rust|elixir|erlang|haskell|swift|julia|perl|bun|deno|caddy|httpd|nginx|maven|gradle|tomcat|dotnet"
    r"|aspnet|runtime|sdk|haproxy|traefik|wordpress|composer)(?:$|[:@-])"
)


def base_python(image: str) -> str | None:
    """The Python version that a base image brings (`3.12`); "" if it does not say; None if none."""
    name, _, tag = image.partition("@")[0].rpartition(":")
    if not name or "/" in tag:
        name, tag = image, ""
    if "python" in name.rpartition("/")[2] or "fastapi" in name or "flask" in name:
        found = re.match(r"(?:python)?(\d+(?:\.\d+)?)", tag)
        return found[1] if found else ""
    found = re.search(r"python-?(\d+(?:\.\d+)?)", tag)
    return found[1] if found else None


def other_language(image: str) -> str | None:
    """The language or server that a base image is known for, if it is not Python."""
    found = _OTHERS.search(image)
    return found[1] if found else None


def choose(wanted: str | None, environ: Mapping[str, str]) -> Interpreter:
    """The interpreter for a version (`3.12`, `3`, or None for any).

    The one that runs Geartrain stands in when this machine has no such version.
    """
    own = "{}.{}".format(*sys.version_info)
    if wanted and "." in wanted and wanted != own:
        for path in _installed(wanted, environ):
            return Interpreter(path=path, version=wanted, wanted=wanted)
    running = Path(getattr(sys, "_base_executable", sys.executable) or sys.executable)
    return Interpreter(path=running, version=own, wanted=wanted or None)


def _installed(version: str, environ: Mapping[str, str]) -> Iterator[Path]:
    """Interpreters of a version: on PATH, and where uv and pyenv keep theirs."""
    name = f"python{version}"
    home = Path(environ.get("HOME", "/nonexistent"))
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        # pyenv's, asdf's and mise's shims are there for every version, installed or not
        if folder and not folder.rstrip("/").endswith("/shims"):
            found = shutil.which(name, path=folder)
            if found:
                yield Path(found)
    data = Path(environ.get("XDG_DATA_HOME", "") or home / ".local/share")
    folders = [
        (
            Path(environ.get("UV_PYTHON_INSTALL_DIR", "") or data / "uv/python"),
            f"cpython-{version}.*",
        ),
        (Path(environ.get("PYENV_ROOT", "") or home / ".pyenv") / "versions", f"{version}.*"),
    ]
    for root, pattern in folders:
        for path in sorted(_below(root, f"{pattern}/bin/{name}"), key=_by_number, reverse=True):
            if os.access(path, os.X_OK):
                yield path


def _below(root: Path, pattern: str) -> list[Path]:
    try:
        return list(root.glob(pattern))
    except PermissionError:  # another user's: after `su`, the environment may still name it
        return []


def _by_number(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", path.parent.parent.name)]
