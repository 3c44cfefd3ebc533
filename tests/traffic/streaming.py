"""Open streams: WebSockets and server-sent events, read until they end."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.traffic.running import PATIENCE, until


class Stream:
    """An open stream, read in the background: what came last, and when it ended."""

    def __init__(
        self, address: str, request: str, expected: bytes, patience: float = PATIENCE
    ) -> None:
        host, _, port = address.partition(":")
        self.link = socket.create_connection((host, int(port)), timeout=60)
        self.link.sendall(request.encode())
        self.seen = b""
        self.last = 0.0
        self.ended = 0.0
        self.expected = expected
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        try:
            until(lambda: expected in self.seen, "the stream runs", patience)
        except AssertionError:
            self.close()
            raise

    def _read(self) -> None:
        try:
            while data := self.link.recv(65536):
                self.seen += data
                self.last = time.monotonic()
        except OSError:
            pass
        self.ended = time.monotonic()

    def close(self) -> None:
        self.link.close()


def frame(version: str) -> bytes:
    """A short text frame is 0x81, its length and the text (RFC 6455, section 5.2)."""
    return bytes([0x81, len(version)]) + version.encode()


def event(version: str) -> bytes:
    return f"data: {version}\n".encode()


def web_socket(address: str, version: str, patience: float = PATIENCE) -> Stream:
    """RFC 6455, section 1.3."""
    key = base64.b64encode(os.urandom(16)).decode()
    request = (
        f"GET /socket HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    return Stream(address, request, frame(version), patience)


def event_stream(address: str, version: str, patience: float = PATIENCE) -> Stream:
    """HTML Living Standard, section 9.2."""
    request = f"GET /events HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n\r\n"
    return Stream(address, request, event(version), patience)


def of_the_new(kind: Callable[..., Stream], address: str, version: str) -> Stream:
    """A stream of a release that has just got live.

    For some 100 ms more nginx's old workers take connections too, and lead them to the old one.
    """
    for _ in range(9):
        with contextlib.suppress(AssertionError):
            return kind(address, version, 1.0)
    return kind(address, version)


@contextmanager
def opened(streams: list[Stream]) -> Iterator[list[Stream]]:
    try:
        yield streams
    finally:
        for stream in streams:
            stream.close()
