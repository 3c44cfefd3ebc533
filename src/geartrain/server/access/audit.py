"""Who asked for what over SSH: a JSON line each, kept on the host."""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from geartrain.server.host import ServerHost

FILE = "audit.log"
LARGEST = 10 * 1024 * 1024
LONGEST = 1000  # characters of a command
_VALUE = re.compile(r"=.*", re.DOTALL)


def write(host: ServerHost, key: str, client: str, words: Sequence[str], refused: str = "") -> None:
    """Write down what was asked for, before it is done.

    Args:
        host: the host.
        key: the key's name.
        client: the address that it came from.
        words: the command; what stands after a `=` may be a secret and is left out.
        refused: why it is not done, or "".
    """
    said = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "key": key,
        "from": client,
        "asked": _text(shlex.join(_VALUE.sub("=", word) for word in words)[:LONGEST]),
    }
    record = msgspec.json.encode(said | ({"refused": refused} if refused else {})) + b"\n"
    fd = _open(host.folder / FILE)
    try:
        os.write(fd, record)
        os.fsync(fd)
    finally:
        os.close(fd)


def _text(said: str) -> str:
    """What is no text, such as bytes that are not UTF-8, is written down all the same."""
    return said.encode(errors="backslashreplace").decode()


def _open(path: Path) -> int:
    """The log, locked, with room in it: a full one is kept beside, and the one before goes."""
    while True:
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        size = os.fstat(fd).st_size
        try:
            same = os.path.samestat(os.fstat(fd), path.stat())
        except FileNotFoundError:
            same = False
        if same and size <= LARGEST:
            return fd
        if same:
            path.replace(path.with_name(f"{FILE}.1"))
        os.close(fd)
