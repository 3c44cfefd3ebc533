"""The daemon's own interface, for what every release asks many times.

A `docker` command has taken 15 ms before it asks anything, and the daemon answers in one or two.
See docs.docker.com/reference/api/engine. Requests are HTTP/1.0, one a connection, so that an answer
ends with the connection. No version is named in them: then the daemon speaks its newest.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
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
HEAD = "HTTP/1.0\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: "


class RefusedError(GearError):
    """The daemon understood, and does not do it."""


class _Execution(msgspec.Struct):
    # What makes one says its id as `Id`, what tells of one as `ID`.
    id: str = msgspec.field(name="Id", default="")
    code: int | None = msgspec.field(name="ExitCode", default=None)


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
    said = _ask("GET", path, query)
    return None if said is None else msgspec.json.decode(said, type=kind)


def post(*path: str, body: object = None, **query: object) -> bytes | None:
    """Have something done.

    Args:
        path: the parts of its address, as for `get`.
        body: what it is done with, sent as JSON.
        query: further conditions.

    Returns:
        What the daemon says to it, or None when there is nothing to do it to.

    Raises:
        RefusedError: it was not done.
        GearError: no daemon answers.
    """
    return _ask("POST", path, query, b"" if body is None else msgspec.json.encode(body))


def execute(container: str, argv: Sequence[str]) -> tuple[int, str]:
    """Run a program in a container to its end.

    Returns:
        Its exit code and what it said, on both outputs.

    Raises:
        RefusedError: the container does not run.
        GearError: it is gone, or no daemon answers.
    """
    # With a terminal, both outputs come as they are, without a head for each piece.
    how = {"Cmd": argv, "AttachStdout": True, "AttachStderr": True, "Tty": True}
    made = post("containers", container, "exec", body=how)
    if made is not None:
        name = msgspec.json.decode(made, type=_Execution).id
        said = post("exec", name, "start", body={"Tty": True})
        done = get(_Execution, "exec", name, "json")
        if said is not None and done is not None and done.code is not None:
            return done.code, said.decode(errors="replace").replace("\r\n", "\n")
    raise GearError(f"{container} ended meanwhile")


def _ask(
    method: str, path: tuple[str, ...], query: Mapping[str, object], body: bytes = b""
) -> bytes | None:
    place = _place(path, query)
    try:
        said = _answer(f"{method} {place} {HEAD}{len(body)}\r\n\r\n".encode() + body)
    except OSError as error:
        client.daemon()  # says it better when no daemon answers
        raise GearError(f"the Docker daemon did not answer: {error}") from error
    head, _, answer = said.partition(b"\r\n\r\n")
    status = head.split(None, 2)[1:2]
    code = int(status[0]) if status and status[0].isdigit() else 0
    if code == GONE:
        return None
    if not 200 <= code < 300:
        raise RefusedError(f"Docker refuses {method} {place}: {_reason(answer) or code}")
    return answer


def _place(path: tuple[str, ...], query: Mapping[str, object]) -> str:
    words = {
        key: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for key, value in query.items()
    }
    place = "/".join(("", *(quote(part, safe="/:@") for part in path)))
    return f"{place}?{urlencode(words)}" if words else place


@contextmanager
def following(*path: str, **query: object) -> Iterator[socket.socket]:
    """Ask for what goes on and on; what comes is read from the socket, with its head.

    Raises:
        OSError: there is no daemon.
        GearError: there is no Docker at all.
    """
    with connection() as link:
        link.sendall(f"GET {_place(path, query)} {HEAD}0\r\n\r\n".encode())
        yield link


def _answer(request: bytes) -> bytes:
    """All that the daemon says.

    Raises:
        OSError: there is no connection, or it took too long.
    """
    said = []
    with connection() as link:
        link.settimeout(LATEST)
        link.sendall(request)
        while data := link.recv(65536):
            said.append(data)
    if not said:
        raise ConnectionError("it hung up")
    return b"".join(said)


@contextmanager
def connection() -> Iterator[socket.socket]:
    """A connection to the daemon; one that is not on a socket here, a client reaches.

    Raises:
        OSError: nobody listens there.
    """
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
