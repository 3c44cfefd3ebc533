"""Which files make up an app's Compose model, and how large they may be."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from geartrain.errors import InvalidError, Problem

# As Compose looks for them, in this order (compose-go, cli/options.go).
NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
MAX_BYTES = 1024 * 1024
_SETTING = re.compile(r"^\s*(?:export\s+)?(COMPOSE_\w+)=(.*)$")


def settings(project: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Compose's own `COMPOSE_*` settings, from the environment and then from `.env`."""
    path = project / ".env"
    lines = read(path, ".env").splitlines() if path.is_file() else []
    found = {m[1]: m[2].strip().strip("\"'") for line in lines if (m := _SETTING.match(line))}
    return {**found, **{k: v for k, v in environ.items() if k.startswith("COMPOSE_")}}


def find(project: Path, files: Sequence[Path], given: Mapping[str, str]) -> tuple[Path, ...]:
    """Find the Compose files of a project folder.

    Args:
        project: the project folder.
        files: files to use instead of the usual ones, relative to the folder.
        given: the `settings`; `COMPOSE_FILE` counts as `files`.

    Returns:
        Absolute paths, in the order in which Compose merges them.

    Raises:
        InvalidError: there is none, or a named one is not there.
    """
    named = list(files)
    if not named and given.get("COMPOSE_FILE"):
        separator = given.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
        named = [Path(part) for part in given["COMPOSE_FILE"].split(separator) if part]
    if named:
        paths = tuple(project / file for file in named)
        missing = [Problem(what="no such file", where=str(p)) for p in paths if not p.is_file()]
        if missing:
            raise InvalidError("a Compose file is not there", problems=missing)
        return paths
    if not project.is_dir():
        raise InvalidError("no such folder", where=str(project))
    main = next((project / name for name in NAMES if (project / name).is_file()), None)
    if main is None:
        raise InvalidError(
            f"no Compose file here; looked for {', '.join(NAMES)}",
            where=str(project),
            remedy="run this in the folder with the Compose file, or name it with --file",
        )
    override = next((project / name for name in OVERRIDES if (project / name).is_file()), None)
    return (main,) if override is None else (main, override)


def read(path: Path, shown: str) -> str:
    """Read a Compose file of a sane size.

    Args:
        path: the file.
        shown: its name in messages.

    Raises:
        InvalidError: it is over 1 MiB, is not a text in UTF-8, or cannot be read.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InvalidError(
                f"the file has {size / 1024 / 1024:.1f} MiB; at most 1 MiB is read, because"
                " a Compose file of that size is a mistake or an attack",
                where=shown,
                remedy="move data out of it, into files that it mounts or includes",
            )
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InvalidError(f"cannot be read: {error.strerror}", where=shown) from error
    except UnicodeDecodeError as error:
        raise InvalidError(
            f"byte {error.start} is not text in UTF-8",
            where=shown,
            remedy="save the file as UTF-8",
        ) from error
