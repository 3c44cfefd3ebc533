"""`gear -H HOST …`: the same command on a host, over the user's own `ssh`."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from geartrain.cli import remotes
from geartrain.errors import Exit, GearError

OPTIONS = ("-H", "--host")
_HOST = re.compile(r"(ssh://)?(?!-)[A-Za-z0-9_.+-]+(@(?!-)[A-Za-z0-9_.:\[\]-]+)?(:\d+)?")


def split(words: Sequence[str]) -> tuple[str, list[str]] | None:
    """The host that a command line names before its command, and the rest; None without one.

    Raises:
        click.UsageError: what it names is no host.
    """
    if not words or not words[0].startswith(OPTIONS):
        return None
    first, *rest = words
    if first in OPTIONS:
        host = rest.pop(0) if rest else ""
    else:
        host = first.removeprefix("--host=") if first.startswith("--") else first[2:]
    if not _HOST.fullmatch(host):
        raise click.UsageError(f"{host!r} is not a host: gear -H user@host COMMAND")
    return host, rest


def become(host: str, words: Sequence[str]) -> NoReturn:
    """Run a command there: its output, its exit code; a terminal where there is one here.

    Args:
        host: what ssh is to connect to.
        words: what follows `gear`.

    Raises:
        GearError: there is no ssh.
    """
    said = shlex.join(["gear", *_with_app(host, words)])
    terminal = ["-t"] if all(s.isatty() for s in (sys.stdin, sys.stdout, sys.stderr)) else []
    try:
        words = ["ssh", *terminal, "--", host, said]
        os.execvp(words[0], words)  # noqa: S606  # becomes it, for the terminal
    except FileNotFoundError as error:
        raise GearError(
            "there is no ssh here", remedy="sudo apt-get install openssh-client", code=Exit.MISSING
        ) from error


def _with_app(host: str, words: Sequence[str]) -> tuple[str, ...]:
    """The words, with the app that this folder's repository is at that host."""
    from geartrain.cli import verbs

    try:
        call = verbs.call(words)
    except (GearError, click.UsageError):
        return tuple(words)  # the host says what is wrong with them
    if not call.takes_option:
        return tuple(words)
    here = {app for at, app in remotes.elsewhere(Path.cwd()) if at in (host, f"ssh://{host}")}
    return call.words(here.pop() if len(here) == 1 else None)
