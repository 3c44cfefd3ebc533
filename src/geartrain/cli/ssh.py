"""What sshd runs for a host's keys: `python -m geartrain.cli.ssh HOST KEY`.

It becomes Git or `gear`, with an argument list and never through a shell, or says why not.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

import geartrain
from geartrain.cli.output import show_error
from geartrain.errors import GearError
from geartrain.server.access import audit, keys, request
from geartrain.server.access.keys import Key
from geartrain.server.app import ServerApp
from geartrain.server.host import VARIABLE, ServerHost

# A client may send variables (sshd_config(5), AcceptEnv), and these steer Git, the loader or us.
_LEFT_OUT = ("GIT_", "GEAR_", "LD_", "SSH_ORIGINAL_COMMAND")
_PROTOCOL = re.compile(r"version=[0-9]")


def command(host: Path) -> list[str]:
    """What a key may run, without its name: this very gear, by absolute paths."""
    words = [sys.executable, "-m", "geartrain.cli.ssh", str(host)]
    if sys.flags.isolated:
        words.insert(1, "-I")
        return words
    source = os.path.realpath(Path(geartrain.__file__).parents[1])
    return ["/usr/bin/env", f"PYTHONPATH={source}", *words]


def main() -> int:
    """Do what the client asks for, or refuse."""
    client = os.environ.get("SSH_CONNECTION", "").partition(" ")[0]
    try:
        host = ServerHost(Path(sys.argv[1]))
        key = keys.known(keys.read(host), sys.argv[2])
    except GearError as error:
        show_error(error)
        return 1
    text = os.environ.get("SSH_ORIGINAL_COMMAND", "")
    try:
        words, program = decide(host, key, text)
    except GearError as error:
        audit.write(host, key.name, client, _readable(text), refused=error.what)
        show_error(error)
        return 1
    audit.write(host, key.name, client, words)
    environment = _environment(os.environ) | {VARIABLE: str(host.folder), "GEAR_USER": key.name}
    _become(program, environment)
    return 0


def decide(host: ServerHost, key: Key, text: str) -> tuple[list[str], list[str]]:
    """What a command line asks for, and the program that does it.

    Args:
        host: the host.
        key: whose key was used.
        text: the command line, as the client wrote it.

    Returns:
        The words for the record, and the argument list.

    Raises:
        GearError: it cannot be done, or not with this key.
    """
    asked = request.parse(text)
    if isinstance(asked, request.GitRequest):
        return [asked.program, asked.app], _git(host, key, asked)
    return ["gear", *asked.words], _gear(key, asked)


def _readable(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return [text.partition("=")[0]]


def _git(host: ServerHost, key: Key, asked: request.GitRequest) -> list[str]:
    what = "a push" if asked.program == "git-receive-pack" else "a fetch"
    request.refuse(key, asked.needed, asked.app, what)
    app = ServerApp(host, asked.app)
    return ["git", asked.program.removeprefix("git-"), str(app.repository)]


def _gear(key: Key, asked: request.GearRequest) -> list[str]:
    gear = [
        *([sys.executable, "-I"] if sys.flags.isolated else [sys.executable]),
        "-m",
        "geartrain",
    ]
    if asked.words in ((), ("--help",), ("--version",)):
        return [*gear, *asked.words]
    import click

    from geartrain.cli import verbs

    try:
        call = verbs.call(asked.words)
    except click.UsageError as error:
        raise GearError(error.format_message()) from error
    app = call.app
    if app is None and call.takes_option and len(key.apps) == 1:
        app = key.apps[0]
    about = None if call.is_wide else app
    request.refuse(key, call.needed, about, f"`gear {' '.join(call.path)}`")
    return [*gear, *call.words(app)]


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    kept = {k: v for k, v in environ.items() if not k.startswith(_LEFT_OUT)}
    protocol = environ.get("GIT_PROTOCOL", "")
    return kept | ({"GIT_PROTOCOL": protocol} if _PROTOCOL.fullmatch(protocol) else {})


def _become(program: list[str], environment: Mapping[str, str]) -> None:
    os.chdir("/")
    os.execvpe(program[0], program, environment)  # noqa: S606  # becomes it, for the terminal


if __name__ == "__main__":
    sys.exit(main())
