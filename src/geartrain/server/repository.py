"""The bare repository that is pushed to: its settings, and the hook that releases."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import geartrain
from geartrain import durable
from geartrain.release import git, snapshot

HOOK = """\
#!/bin/sh
# Made by `gear app create`: what is pushed is released, or refused.
{environment}exec {command}
"""


def create(repository: Path, branch: str, megabytes: int, host: Path, name: str) -> None:
    """Make the repository, or bring its settings and its hook up to date.

    Args:
        repository: its folder.
        branch: the branch that releases.
        megabytes: the largest pack that is taken.
        host: the host's folder.
        name: the app's name.
    """
    git.create(repository)
    snapshot.bare_rules(repository)
    for file in ("HEAD", "config"):
        git.clear_abandoned(repository / f"{file}.lock")
    run = git.Git(repository)
    run("symbolic-ref", "HEAD", f"refs/heads/{branch}")
    settings = {
        "core.hooksPath": str(repository / "hooks"),  # whatever the pusher's own settings say
        "core.fsync": "all",
        "core.fsyncMethod": "batch",
        "receive.fsckObjects": "true",
        "receive.denyDeletes": "true",
        "receive.advertisePushOptions": "true",
        "receive.maxInputSize": f"{megabytes}m",
        "receive.hideRefs": "refs/gear",  # the history is fetched, never pushed
        "receive.keepAlive": "1",  # seconds; a client that is gone is missed at the next one
        "receive.autogc": "false",
    }
    for key, value in settings.items():
        run("config", "--replace-all", key, value)
    (repository / "hooks").mkdir(exist_ok=True)
    write_hook(repository, host, name)


def write_hook(repository: Path, host: Path, name: str) -> None:
    """Write the hook where it is missing or names another gear."""
    text = hook(host, name)
    path = repository / "hooks" / "pre-receive"
    if not path.exists() or path.read_text() != text:
        durable.write(path, text, 0o755)


def hook(host: Path, name: str) -> str:
    """The hook's text: this very gear, by absolute paths."""
    words = [sys.executable, "-m", "geartrain.cli.receive", str(host), name]
    environment = ""
    if sys.flags.isolated:
        words.insert(1, "-I")
    else:
        source = os.path.realpath(Path(geartrain.__file__).parents[1])
        environment = f"export PYTHONPATH={shlex.quote(source)}\n"
    return HOOK.format(environment=environment, command=shlex.join(words))
