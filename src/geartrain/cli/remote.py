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

from geartrain import run
from geartrain.errors import Exit, GearError

OPTIONS = ("-H", "--host")
_HOST = re.compile(r"(ssh://)?[A-Za-z0-9_.+-]+(@[A-Za-z0-9_.:\[\]-]+)?(:\d+)?")
# scp's form, `gear@host:shop`, and the URL, `ssh://gear@host:22/shop` (git-fetch(1), GIT URLS).
_REMOTE = re.compile(r"(?P<url>ssh://[^/]+)/(?P<path>.+)|(?P<scp>[^/:]+):(?P<name>.+)")


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
    if not _HOST.fullmatch(host) or host.startswith("-"):
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
    return call.words(app_at(host, Path.cwd())) if call.takes_option else tuple(words)


def app_at(host: str, folder: Path) -> str | None:
    """The app that a remote of the folder's repository is at a host; None when there are not one.

    Args:
        host: as ssh takes it.
        folder: a folder of a repository.
    """
    said = run.run(
        ["git", "-C", folder, "config", "--null", "--get-regexp", r"^remote\..*\.url$"], check=False
    )
    found = set()
    for entry in filter(None, said.out.split("\0")):
        seen = _REMOTE.fullmatch(entry.partition("\n")[2])
        if seen and host in (seen["url"], seen["scp"], (seen["url"] or "").removeprefix("ssh://")):
            found.add((seen["path"] or seen["name"]).strip("/").removesuffix(".git"))
    return found.pop() if len(found) == 1 else None
