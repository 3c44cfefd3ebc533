"""Lock files that `uv` does not read, as requirements that it does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from geartrain.errors import InvalidError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")


def poetry_pins(lock: Path) -> str:
    """The versions of poetry.lock, one `name==version` a line.

    What is needed comes from the project's own metadata; a package that is
    locked twice (for different machines) or from elsewhere than an index is not pinned.

    Raises:
        InvalidError: the file is not a lock file of Poetry.
    """
    import tomllib

    try:
        packages: list[dict[str, Any]] = tomllib.loads(lock.read_text()).get("package", [])
        versions: dict[str, list[str]] = {}
        for package in packages:
            if package.get("source", {}).get("type", "legacy") == "legacy":
                versions.setdefault(package["name"], []).append(package["version"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidError(
            f"poetry.lock cannot be read: {error}", where=str(lock), remedy="run `poetry lock`"
        ) from error
    return "".join(
        f"{name}=={several[0]}\n"
        for name, several in versions.items()
        if len(several) == 1 and _NAME.fullmatch(name) and _VERSION.fullmatch(several[0])
    )


def pipfile_pins(lock: Path) -> str:
    """The default packages of Pipfile.lock as requirements.

    Raises:
        InvalidError: the file is not a lock file of Pipenv.
    """
    import json

    try:
        packages: dict[str, Any] = json.loads(lock.read_text())["default"]
        return "".join(_pipfile_line(name, entry) for name, entry in packages.items())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidError(
            f"Pipfile.lock cannot be read: {error}", where=str(lock), remedy="run `pipenv lock`"
        ) from error


def _pipfile_line(name: str, entry: dict[str, Any]) -> str:
    extras = ",".join(entry.get("extras", ()))
    head = f"{name}[{extras}]" if extras else name
    if "git" in entry:
        head += f" @ git+{entry['git']}@{entry.get('ref', 'HEAD')}"
    elif "version" not in entry:
        return ""  # a folder of the repository: importable as it is
    else:
        head += entry["version"]
    marker = entry.get("markers")
    line = f"{head} ; {marker}" if marker else head
    return " ".join(line.split()).lstrip("-") + "\n"
