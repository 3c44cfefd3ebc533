"""Compose at work on a file that Geartrain rendered."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from geartrain.engine import memory
from geartrain.load.resolve import binary
from geartrain.run import Completed, run

START = 120.0  # seconds; a busy daemon takes long over many containers


def write(file: Path, text: str) -> None:
    """Keep a rendered file; passwords are in it."""
    memory.write(file, text)


def up(file: Path, keys: Sequence[str], environ: Mapping[str, str]) -> Completed:
    """Make and start containers that are not there; those that run are left alone.

    Args:
        file: the Compose file.
        keys: its services.
        environ: the caller's environment.
    """
    return _compose(
        file, environ, "up", "--detach", "--no-deps", "--no-build", "--no-recreate",
        "--quiet-pull", "--", *keys,
    )  # fmt: skip


def create(file: Path, keys: Sequence[str], environ: Mapping[str, str]) -> Completed:
    """Make containers without starting them."""
    return _compose(file, environ, "create", "--no-build", "--no-recreate", "--", *keys)


def recreate(file: Path, keys: Sequence[str], environ: Mapping[str, str]) -> Completed:
    """Make and start containers, anew where they are defined differently."""
    return _compose(
        file, environ, "up", "--detach", "--no-deps", "--no-build", "--quiet-pull", "--", *keys
    )


def _compose(file: Path, environ: Mapping[str, str], *words: str) -> Completed:
    # The caller's own settings of Compose are for his files, not for ours.
    env = {key: value for key, value in environ.items() if not key.startswith("COMPOSE_")}
    env.setdefault("PATH", os.defpath)
    argv = [*binary(environ), "--file", str(file), "--ansi=never", "--progress=plain", *words]
    return run(argv, env=env, cwd=file.parent, timeout=START, check=False)
