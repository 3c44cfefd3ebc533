"""Docker's event stream: what happens to the containers of a host, as it happens.

An event says only that somebody should look. What was missed while there was no
connection is found by looking at all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType

import msgspec

from geartrain.engine.docker import api
from geartrain.render import containers

ANSWER = 20.0  # seconds until the daemon begins to answer
# What others do to a container, and what it does by itself. `exec_*` comes with each healthcheck.
KINDS = ("create", "destroy", "die", "health_status", "oom", "pause", "start", "stop", "unpause")


class _Actor(msgspec.Struct):
    id: str = msgspec.field(name="ID", default="")


class _Event(msgspec.Struct):
    actor: _Actor = msgspec.field(name="Actor", default_factory=_Actor)


class Stream:
    """A connection on which the daemon tells what happens. Use it as a context manager.

    Args:
        labels: on the containers that it is about.

    Raises:
        OSError: there is no daemon, or it does not answer.
        GearError: there is no Docker at all.
    """

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._left = b""
        self._open = ExitStack()
        chosen = {**containers.filters(labels), "type": ["container"], "event": list(KINDS)}
        try:
            self._link = self._open.enter_context(api.following("events", filters=chosen))
            self._link.settimeout(ANSWER)
            self._await_head()
            self._link.settimeout(0)
        except BaseException:
            self._open.close()
            raise

    def _await_head(self) -> None:
        while b"\r\n\r\n" not in self._left:
            self._receive()
        head, _, self._left = self._left.partition(b"\r\n\r\n")
        if head.split(None, 2)[1:2] != [b"200"]:
            raise ConnectionError("the daemon does not tell what happens")

    def _receive(self) -> None:
        data = self._link.recv(65536)
        if not data:
            raise ConnectionError("the daemon hung up")
        self._left += data

    def fileno(self) -> int:
        """What to wait on."""
        return self._link.fileno()

    def read(self) -> frozenset[str]:
        """Ids of the containers to which something happened; does not wait.

        Raises:
            OSError: the daemon hung up.
        """
        try:
            while True:
                self._receive()
        except BlockingIOError:
            pass
        *lines, self._left = self._left.split(b"\n")
        found = set()
        for line in lines:
            try:
                found.add(msgspec.json.decode(line, type=_Event).actor.id)
            except msgspec.DecodeError:
                continue  # of another shape: then something happened, and all is looked at anyway
        return frozenset(found)

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def close(self) -> None:
        """End it."""
        self._open.close()


def listens() -> bool:
    """Whether anybody listens where the daemon should be: not when it does not run.

    One that is elsewhere is taken to.
    """
    try:
        with api.connection():
            return True
    except TimeoutError:
        return True  # somebody does, and is busy
    except OSError:
        return False
