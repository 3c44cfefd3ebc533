"""The daemon's own interface, for what every release asks many times.

A `docker` command has taken 15 ms before it asks anything, and the daemon answers in one or two.
See docs.docker.com/reference/api/engine. Requests are HTTP/1.0, one a connection, so that an answer
ends with the connection. No version is named in them: then the daemon speaks its newest.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import quote, urlencode

import msgspec

from geartrain.engine.docker import client
from geartrain.errors import GearError

Answer = TypeVar("Answer")

LATEST = 60.0  # seconds that an answer may take
UNIX = "unix://"
GONE = 404


class RefusedError(GearError):
    """The daemon understood, and does not do it."""


class _Message(msgspec.Struct):
    message: str = ""


def get(kind: type[Answer], *path: str, **query: object) -> Answer | None:
    """Read something.

    Args:
        kind: what the answer is decoded as.
        path: the parts of its address, such as `containers`, a name, `json`.
        query: further conditions; what is no text is sent as JSON.

    Returns:
        It, or None when there is no such thing.

    Raises:
        RefusedError: the daemon says that this is no question.
        GearError: no daemon answers.
    """
    body = _ask("GET", path, query)
    return None if body is None else msgspec.json.decode(body, type=kind)


def post(*path: str, **query: object) -> bool:
    """Have something done; False when there is nothing to do it to.

    Raises:
        RefusedError: it was not done.
        GearError: no daemon answers.
    """
    return _ask("POST", path, query) is not None


def _ask(method: str, path: tuple[str, ...], query: Mapping[str, object]) -> bytes | None:
    words = {
        key: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for key, value in query.items()
    }
    place = "/".join(("", *(quote(part, safe="/:@") for part in path)))
    if words:
        place += f"?{urlencode(words)}"
    try:
        said = _answer(f"{method} {place} HTTP/1.0\r\nHost: docker\r\nContent-Length: 0\r\n\r\n")
    except OSError as error:
        client.daemon()  # says it better when no daemon answers
        raise GearError(f"the Docker daemon did not answer: {error}") from error
    head, _, body = said.partition(b"\r\n\r\n")
    status = head.split(None, 2)[1:2]
    code = int(status[0]) if status and status[0].isdigit() else 0
    if code == GONE:
        return None
    if not 200 <= code < 300:
        raise RefusedError(f"Docker refuses {method} {place}: {_reason(body) or code}")
    return body


def _answer(request: str) -> bytes:
    """All that the daemon says.

    Raises:
        OSError: there is no connection, or it took too long.
    """
    said = []
    with _connection() as link:
        link.settimeout(LATEST)
        link.sendall(request.encode())
        while data := link.recv(65536):
            said.append(data)
    if not said:
        raise ConnectionError("it hung up")
    return b"".join(said)


@contextmanager
def _connection() -> Iterator[socket.socket]:
    """A connection to the daemon; one that is not on a socket here, a client reaches."""
    where = client.endpoint()
    if where.startswith(UNIX):
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(where.removeprefix(UNIX))
            yield link
        return
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            process = subprocess.Popen(
                [client.reaching(), "system", "dial-stdio"],
                stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=subprocess.DEVNULL,
            )  # fmt: skip
        try:
            yield ours
        finally:
            process.kill()
            process.wait()


def _reason(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Message).message
    except msgspec.DecodeError:
        return ""
