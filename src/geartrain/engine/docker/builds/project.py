"""A Python project without a Dockerfile, looked at for `geartrain.render.dockerfile`."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from geartrain.app.model import Service
from geartrain.engine import starting
from geartrain.errors import InvalidError
from geartrain.render.dockerfile import Kind, Project

DEFAULT_PYTHON = "3.13"
DEFAULT_PORT = 8000
_SAFE = re.compile(r"[\w.+-][\w./+-]*")
_INCLUDE = re.compile(r"^\s*(?:-r|--requirement|-c|--constraint)[\s=]*(\S+)", re.M)
# A requirement that is a folder of the repository: the code must be there when it is installed.
_LOCAL = re.compile(r"^\s*(?:-e\s|--editable[\s=]|\.{1,2}(?:/|\[|\s|$)|file:)", re.M)


def look(context: Path, service: Service, where: str) -> Project:
    """What there is in a build context.

    Args:
        context: the folder.
        service: its entry; a command of its own wins over what is found.
        where: for messages.

    Raises:
        InvalidError: it is not a Python project, or nothing says how it starts.
    """
    kind = next((kind for kind in Kind if (context / kind.value).is_file()), None)
    if kind is Kind.UV and not (context / "pyproject.toml").is_file():
        kind = Kind.REQUIREMENTS if (context / Kind.REQUIREMENTS.value).is_file() else None
    if kind is None:
        raise InvalidError(
            "no Dockerfile, and none of the files of a Python project is there"
            f" ({', '.join(kind.value for kind in Kind)})",
            where=where,
            remedy="write a Dockerfile, or name it with `build.dockerfile`",
        )
    project = _toml(context / "pyproject.toml")
    text = _texts(context, kind)
    port = service.port or DEFAULT_PORT
    command = _command(context, text, port)
    if not command and not (service.command or service.entrypoint):
        raise InvalidError(
            "no Dockerfile, and no command says how to start it",
            where=where,
            remedy="add `command:` to the service",
        )
    return Project(
        kind=kind,
        python=_python(context, project),
        files=_files(context, kind),
        packaged="build-system" in project and "project" in project,
        command=() if service.command or service.entrypoint else command,
        port=service.port or (port if command else None),
    )


def _files(context: Path, kind: Kind) -> tuple[str, ...]:
    """The files that say what is installed; none when the code itself is among it."""
    if kind is Kind.REQUIREMENTS:
        return _requirements(context, "requirements.txt", set()) or ()
    if kind is Kind.PROJECT:
        return ()
    pair = {Kind.UV: "pyproject.toml", Kind.POETRY: "pyproject.toml", Kind.PIPENV: "Pipfile"}
    if kind is Kind.UV and re.search(r"\{ (?:editable|directory|virtual) = \"(?!\.\")",
                                     _read(context / kind.value)):  # fmt: skip
        return ()  # a workspace: its members' own files are needed
    return tuple(name for name in (pair[kind], kind.value) if (context / name).is_file())


def _requirements(context: Path, name: str, seen: set[str]) -> tuple[str, ...] | None:
    """A requirement file and those that it names; None when the code is needed."""
    if name in seen:
        return ()
    seen.add(name)
    text = _read(context / name)
    if _LOCAL.search(text):
        return None
    found = [name]
    for included in _INCLUDE.findall(text):
        if "://" in included:
            continue
        path = (Path(name).parent / included.strip("\"'")).as_posix()
        if "/" in path or not _SAFE.fullmatch(path) or not (context / path).is_file():
            return None  # COPY would put it elsewhere, or it is for the code to bring
        inner = _requirements(context, path, seen)
        if inner is None:
            return None
        found += inner
    return tuple(found)


def _python(context: Path, project: dict[str, Any]) -> str:
    """`.python-version`, or the newest that `requires-python` allows, or the default."""
    if pinned := re.match(r"\s*(3\.\d+)", _read(context / ".python-version")):
        return pinned[1]
    wanted = str(project.get("project", {}).get("requires-python", ""))
    if below := re.search(r"<\s*3\.(\d+)(?![\d.]*\*)", wanted):
        newest = int(below[1]) - 1
        if newest < int(DEFAULT_PYTHON.split(".")[1]):
            return f"3.{newest}"
    if exactly := re.search(r"(?:==|~=)\s*(3\.\d+)", wanted):
        return exactly[1]
    least = re.search(r">=?\s*3\.(\d+)", wanted)
    if least and int(least[1]) > int(DEFAULT_PYTHON.split(".")[1]):
        return f"3.{least[1]}"
    return DEFAULT_PYTHON


def _command(context: Path, text: str, port: int) -> tuple[str, ...]:
    """How a usual layout is started, listening where others can reach it."""
    has = {name for name in starting.SERVERS
           if re.search(rf'^\s*(?:name = )?["\']?{name}\b', text, re.M | re.I)
           or re.search(rf'["\']{name}\b', text, re.I)}  # fmt: skip
    argv = starting.detect(context, has)
    if not argv:
        return ()
    match argv[0]:
        case "uvicorn" | "flask":
            return (*argv, "--host", "0.0.0.0", "--port", str(port))  # noqa: S104  # in a container
        case "gunicorn":
            return (argv[0], "--bind", f"0.0.0.0:{port}", *argv[1:])
        case "python":
            return (*argv, f"0.0.0.0:{port}") if "runserver" in argv else argv
        case _:
            return argv


def _texts(context: Path, kind: Kind) -> str:
    names = [kind.value, "pyproject.toml", "Pipfile"]
    if kind is Kind.REQUIREMENTS:
        names += [path.name for path in context.glob("requirements*.txt")]
    return "\n".join(_read(context / name) for name in dict.fromkeys(names))


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_read(path))
    except tomllib.TOMLDecodeError as error:
        raise InvalidError(f"{path.name} is not TOML: {error}", where=path.name) from error


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace") if path.is_file() else ""
    except OSError:
        return ""
