"""Makes the app's own Python package importable from the release's checkout.

The shared environment holds only what others wrote. The app's package is put
beside it for each release: its import root on PYTHONPATH, its console scripts
and metadata in small files; only what must be compiled is really installed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geartrain import durable
from geartrain.engine.embedded.venv import uv_environment
from geartrain.engine.memory import write
from geartrain.errors import GearError, InvalidError
from geartrain.run import CommandError, run

MARKER = "geartrain-built"
# build backends of packages that run as they lie
_PURE = re.compile(r"(hatchling|flit_core|poetry\.core|poetry|uv_build|pdm|setuptools)\b.*")
_REFERENCE = re.compile(r"\s*([A-Za-z_][\w.]*)\s*:\s*([A-Za-z_][\w.]*)\s*(\[.*\])?")
_SCRIPT = re.compile(r"[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Overlay:
    """Folders for PYTHONPATH and PATH that belong to one release."""

    imports: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()


def overlay(
    projects: Sequence[str],
    env: Path,
    target: Path,
    *,
    uv: Path,
    environ: Mapping[str, str],
    report: Callable[[str], None],
    where: str,
) -> Overlay:
    """Make the packages in these folders importable, and their scripts runnable.

    Args:
        projects: folders with a `pyproject.toml` or `setup.py`.
        env: the environment that the scripts run in.
        target: folder of the release for what is made.
        uv, environ, report, where: as for `venv.ensure`.

    Raises:
        GearError: a package that must be built did not build.
    """
    imports: list[str] = []
    if not projects:
        return Overlay()
    site, scripts = target / "site", target / "bin"
    # Written last: whoever comes later, `gear run` say, must not build below what runs.
    marker, made = target / MARKER, "".join(f"{one}\n" for one in (env, *projects))
    done = marker.is_file() and marker.read_text() == made
    for name in dict.fromkeys(projects):
        folder = Path(name)
        settings = _settings(folder / "pyproject.toml")
        if _runs_in_place(folder, settings):
            imports += _roots(folder, settings)
            _describe(settings, site, scripts, env / "bin/python")
        elif not done:
            report(f"{where}: building {folder.name}")
            _install(folder, env, site, uv_environment(environ), uv, where)
    if not done and site.is_dir():
        durable.sync_system(site)
        durable.write(marker, made)
    found = [site] if site.is_dir() else []
    return Overlay(
        imports=tuple(dict.fromkeys([*map(str, found), *imports])),
        scripts=tuple(str(path) for path in (scripts, site / "bin") if path.is_dir()),
    )


def _settings(pyproject: Path) -> dict[str, Any]:
    import tomllib

    if not pyproject.is_file():
        return {}
    try:
        return tomllib.loads(pyproject.read_text())
    except ValueError as error:
        raise InvalidError(
            f"pyproject.toml cannot be read: {error}", where=str(pyproject)
        ) from error


def _get(settings: Any, *keys: str) -> Any:
    for name in keys:
        settings = settings.get(name) if isinstance(settings, dict) else None
    return settings


def _runs_in_place(folder: Path, settings: dict[str, Any]) -> bool:
    named = _get(settings, "project", "name") or _get(settings, "tool", "poetry", "name")
    backend = _get(settings, "build-system", "build-backend") or "setuptools"
    if not named or not _PURE.fullmatch(str(backend)):
        return False
    if _get(settings, "tool", "poetry", "build") or _get(
        settings, "tool", "setuptools", "ext-modules"
    ):
        return False
    setup = folder / "setup.py"
    return not setup.is_file() or "ext_modules" not in setup.read_text(errors="replace")


def _roots(folder: Path, settings: dict[str, Any]) -> list[str]:
    """The folders that the project's packages lie in."""
    tool = _get(settings, "tool") or {}
    poetry = _get(tool, "poetry", "packages") or []
    names = [str(_get(package, "from") or ".") for package in poetry]
    where = _get(tool, "setuptools", "packages", "find", "where")
    names += [str(name) for name in (where if isinstance(where, list) else [])]
    base = _get(tool, "setuptools", "package-dir", "")
    names += [str(base)] if base else []
    wheel = _get(tool, "hatch", "build", "targets", "wheel", "packages") or []
    names += [str(Path(str(package)).parent) for package in wheel]
    root = _get(tool, "uv", "build-backend", "module-root")
    names += [str(root)] if isinstance(root, str) else []
    if not names:
        names = ["src"] if (folder / "src").is_dir() else ["."]
    found = []
    for name in dict.fromkeys(names):
        path = (folder / name).resolve()
        if path.is_dir() and path.is_relative_to(folder.resolve()):
            found.append(str(path))
    return found


def _describe(settings: dict[str, Any], site: Path, scripts: Path, python: Path) -> None:
    """Write a project's scripts, and the metadata by which `importlib.metadata` finds it."""
    project = _get(settings, "project") or {}
    poetry = _get(settings, "tool", "poetry") or {}
    name = str(project.get("name") or poetry.get("name"))
    version = str(project.get("version") or poetry.get("version") or "0")
    if not _SCRIPT.fullmatch(name) or not re.fullmatch(r"[\w.!+-]+", version):
        raise InvalidError(f"the project's name or version is not one: {name!r} {version!r}")
    info = site / f"{re.sub(r'[-_.]+', '_', name).lower()}-{version}.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    said = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    write(info / "METADATA", said, 0o644)
    groups: dict[str, dict[str, Any]] = {
        "console_scripts": (project.get("scripts") or poetry.get("scripts") or {}),
        **(project.get("entry-points") or poetry.get("plugins") or {}),
    }
    lines: list[str] = []
    for group, entries in groups.items():
        kept = {
            str(key): str(to)
            for key, to in entries.items()
            if _SCRIPT.fullmatch(str(key)) and _REFERENCE.fullmatch(str(to))
        }
        if kept and re.fullmatch(r"[\w.-]+", group):
            lines += [f"[{group}]", *(f"{key} = {to}" for key, to in kept.items())]
        if group == "console_scripts":
            for key, to in kept.items():
                _script(scripts, key, to, python)
    write(info / "entry_points.txt", "\n".join(lines) + "\n", 0o644)


def _script(folder: Path, name: str, reference: str, python: Path) -> None:
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        return
    first = found[2].split(".")[0]
    folder.mkdir(parents=True, exist_ok=True)
    text = (
        f"{_shebang(python)}import sys\n\nfrom {found[1]} import {first}\n\n"
        f"sys.argv[0] = sys.argv[0].removesuffix('.exe')\nsys.exit({found[2]}())\n"
    )
    write(folder / name, text, 0o755)


def _shebang(python: Path) -> str:
    """The first lines of a script; a long path, or one with a space, goes through `sh`."""
    if len(str(python)) < 120 and re.fullmatch(r"[\w./+@%:,=-]+", str(python)):
        return f"#!{python}\n"
    # read by `sh` as a command, by Python as a string (the way of pip's own scripts)
    quoted = re.sub(r'(["\\$`])', r"\\\1", str(python))
    return f"#!/bin/sh\n'''exec' \"{quoted}\" \"$0\" \"$@\"\n' '''\n"


def _install(
    folder: Path, env: Path, site: Path, uv_env: dict[str, str], uv: Path, where: str
) -> None:
    python = env / "bin/python"
    words = ["pip", "install", "--no-deps", "--python", str(python), "--target", str(site)]
    try:
        run([uv, *words, "--", str(folder)], env=uv_env, timeout=600.0)
    except CommandError as error:
        raise GearError(
            f"uv could not build {folder.name}",
            where=where,
            tail=error.done.err.rstrip().splitlines()[-30:],
            remedy="correct the project's build, or install what it needs to compile",
        ) from error
