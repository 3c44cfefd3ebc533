"""How a usual Python project is started, when nothing says so."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

SERVERS = ("uvicorn", "gunicorn", "flask", "hypercorn")

_APP = re.compile(
    r"^(app|application|api|server|asgi|wsgi)\s*(?::\s*[\w.]+\s*)?=\s*(?:\w+\.)*"
    r"(FastAPI|Starlette|Quart|Litestar|Flask|Sanic|create_app)\(",
    re.M,
)
_WSGI = frozenset({"Flask"})


def detect(cwd: Path, has: Collection[str]) -> tuple[str, ...]:
    """The command of a usual Python layout; empty when there is none, or more than one.

    Args:
        cwd: the folder that it runs in.
        has: which of `SERVERS` are installed.
    """
    if (cwd / "manage.py").is_file():
        return _django(cwd, has)
    found = [command for path in _candidates(cwd) if (command := _server(path, cwd, has))]
    return found[0] if len(found) == 1 else ()


def _candidates(cwd: Path) -> list[Path]:
    names = ("main.py", "app.py", "wsgi.py", "asgi.py", "server.py")
    folders = [cwd, *(cwd / name for name in ("app", "src"))]
    return [path for folder in folders for name in names if (path := folder / name).is_file()]


def _server(path: Path, cwd: Path, has: Collection[str]) -> tuple[str, ...]:
    found = _APP.search(path.read_text(errors="replace"))
    if found is None or found[2] == "create_app":
        return ()
    inner = path.relative_to(cwd).with_suffix("").parts
    module = ".".join(inner[1:] if inner[0] == "src" else inner)
    folder = ("--app-dir", "src") if inner[0] == "src" else ()
    if found[2] not in _WSGI:
        return ("uvicorn", f"{module}:{found[1]}", *folder) if "uvicorn" in has else ()
    if "gunicorn" in has:
        return ("gunicorn", *(("--chdir", "src") if folder else ()), f"{module}:{found[1]}")
    return ("flask", "--app", f"{module}:{found[1]}", "run") if not folder else ()


def _django(cwd: Path, has: Collection[str]) -> tuple[str, ...]:
    wsgi = sorted(cwd.glob("*/wsgi.py"))
    if "gunicorn" in has and len(wsgi) == 1:
        return ("gunicorn", f"{wsgi[0].parent.name}.wsgi")
    return ("python", "manage.py", "runserver", "--noreload")
