"""What `authorized_keys` says of a host's keys: each may run one command, ours.

See sshd(8), AUTHORIZED_KEYS FILE FORMAT. Lines that others wrote stay as they are.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from geartrain import durable
from geartrain.server.access.keys import Key

BEGIN = "# Made by `gear keys`: from here"
END = "# to here"


def line(key: Key, command: Sequence[str]) -> str:
    """The line of one key.

    Args:
        key: the key.
        command: what it may run; the key's name is added. sshd hands it to the
            user's shell, so that every word is quoted for one.
    """
    said = shlex.join([*command, key.name]).replace("\\", "\\\\").replace('"', '\\"')
    return f'restrict,pty,command="{said}" {key.public} gear:{key.name}'


def merged(text: str, host: str, keys: Iterable[Key], command: Sequence[str]) -> str:
    """A file of keys with a host's keys in it, in place of those that were there.

    Args:
        text: what the file says now.
        host: the host's folder; another host's keys may stand in the same file.
        keys: the keys.
        command: what each may run (see `line`).
    """
    begin, end = f"{BEGIN} {host}", f"{END} {host}"
    lines = text.splitlines()
    if begin in lines and end in lines[lines.index(begin) :]:
        first = lines.index(begin)
        last = lines.index(end, first)
        before, after = lines[:first], lines[last + 1 :]
    else:
        before, after = lines, []
    block = [begin, *(line(key, command) for key in keys), end]
    return "\n".join([*before, *(block if len(block) > 2 else ()), *after, ""]).lstrip("\n")


def write(folder: Path, host: str, keys: Iterable[Key], command: Sequence[str]) -> None:
    """Have sshd know a host's keys: the file is there in full, or as it was.

    Args:
        folder: the user's `.ssh`, which is made where it is not there.
        host: the host's folder.
        keys: its keys.
        command: what each may run (see `line`).
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    path = (folder / "authorized_keys").resolve()
    with durable.alone(folder / ".gear.lock"):  # of another host, whose keys are in it, too
        text = path.read_text() if path.exists() else ""
        durable.write(path, merged(text, host, keys, command), 0o600)
