"""Talking to a host's supervisor, and starting it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from geartrain.engine.embedded.supervisor.spec import Spec, to_json
from geartrain.errors import GearError

SOCKET = "supervisor.sock"
START_WITHIN = 30.0  # seconds; it takes a moment where nothing else runs
LOOK_EVERY = 500  # milliseconds


class Client:
    """One connection to a supervisor. Requests on it are answered in order.

    Args:
        run: the host's folder of sockets.

    Raises:
        ConnectionError: no supervisor answers there.
    """

    def __init__(self, run: Path) -> None:
        self._run = run
        self._turn = threading.Lock()
        self._owed = False  # an answer that nobody waits for any more is still to come
        self._connect()

    def _connect(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            # By way of the folder's descriptor: a deep folder would not fit in 108 bytes.
            folder = os.open(self._run, os.O_PATH | os.O_DIRECTORY)
            try:
                self._socket.connect(f"/proc/self/fd/{folder}/{SOCKET}")
            finally:
                os.close(folder)
        except OSError as error:
            self._socket.close()
            raise ConnectionError(str(error)) from error
        self._file = self._socket.makefile("rb")
        self._owed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._file.close()
        self._socket.close()

    def ask(self, op: str, **rest: Any) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Whoever interrupts it (Ctrl-C) may ask something else at once.

        Raises:
            GearError: the supervisor ended meanwhile, or refused.
        """
        try:
            with self._turn:
                if self._owed:
                    self.close()
                    self._connect()
                self._owed = True
                self._socket.sendall(json.dumps({"op": op, **rest}).encode() + b"\n")
                self._wait()
                line = self._file.readline()
                self._owed = False
        except OSError:
            line = b""
        if not line.endswith(b"\n"):
            raise GearError(
                "the supervisor ended while it was asked to " + op,
                remedy="run `gear up` again; `gear logs` shows what happened",
            )
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise GearError(f"the supervisor could not {op}: {reply['error']}")
        return reply

    def _wait(self) -> None:
        """Wait until there is an answer, in short turns.

        Python looks for signals before it waits in the kernel, and lets another thread go on in
        between: Ctrl-C in that moment would be seen only once the answer is there.
        """
        answers = select.poll()
        answers.register(self._socket, select.POLLIN)
        while not answers.poll(LOOK_EVERY):
            pass

    def start(self, specs: Sequence[Spec]) -> None:
        """Start processes; those that run as asked already are left alone."""
        self.ask("start", specs=[to_json(spec) for spec in specs])

    def lease(self) -> None:
        """Have the supervisor stop everything when this connection ends, however it ends."""
        self.ask("lease")

    def ended(self) -> None:
        """Wait until the supervisor has ended, which closes this connection."""
        with contextlib.suppress(OSError):
            while self._file.read(4096):
                pass
        self.close()

    def follow(self) -> Iterator[tuple[str, str]]:
        """Log lines from now on, as (service, stamped line), until the supervisor ends."""
        self.ask("follow")
        for line in self._file:
            service, _, text = line.decode(errors="replace").rstrip("\n").partition("\t")
            yield service, text


def connect(run: Path) -> Client | None:
    """A client of the host's supervisor, or None when none runs."""
    try:
        return Client(run)
    except ConnectionError:
        return None


def stopping(run: Path) -> Client | None:
    """A client of the host's supervisor if that is about to end, or None."""
    client = connect(run)
    if client is None:
        return None
    try:
        if client.ask("observe")["supervisor"].get("stopping"):
            return client
    except GearError:  # it ends in this very moment
        return client
    client.close()
    return None


def ensure(run: Path, logs: Path) -> Client:
    """A client of the host's supervisor, which is started when none runs.

    The caller holds the host's lock.

    Raises:
        GearError: it did not answer within 30 s.
    """
    if client := connect(run):
        return client
    import subprocess

    from geartrain.engine.embedded.supervisor.stale import end_leftovers

    end_leftovers(run)
    with (logs / "supervisor.log").open("ab") as errors:
        guard = subprocess.Popen(
            [
                sys.executable,
                *(["-I"] if sys.flags.isolated else []),
                "-m",
                "geartrain.engine.embedded.supervisor.guard",
                run,
                logs,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
            cwd="/",
        )
    end = time.monotonic() + START_WITHIN
    while time.monotonic() < end and guard.poll() is None:
        if client := connect(run):
            guard.returncode = 0  # it outlives this process on purpose
            return client
        time.sleep(0.005)
    with contextlib.suppress(OSError):
        guard.kill()
    lines = (logs / "supervisor.log").read_text(errors="replace").splitlines()
    raise GearError("the supervisor did not start", tail=lines[-20:])
