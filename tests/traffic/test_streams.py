"""WebSockets and event streams outlive a switch until the drain limit."""

from __future__ import annotations

import base64
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.traffic.running import Project, project, until

pytestmark = [pytest.mark.load, pytest.mark.timeout(300)]

DRAIN = 4.0


class Stream:
    """An open stream, read in the background: what came last, and when it ended."""

    def __init__(self, made: Project, request: str, expected: bytes) -> None:
        self.link = socket.create_connection(("127.0.0.1", made.port), timeout=60)
        self.link.sendall(request.encode())
        self.seen = b""
        self.last = 0.0
        self.ended = 0.0
        self.expected = expected
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        until(lambda: expected in self.seen, "the stream runs")

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


def web_socket(made: Project, version: str) -> Stream:
    """RFC 6455, section 1.3; a text frame of one byte is 0x81 0x01 and the byte."""
    key = base64.b64encode(os.urandom(16)).decode()
    request = (
        f"GET /socket HTTP/1.1\r\nHost: {made.address}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    return Stream(made, request, b"\x81\x01" + version.encode())


def event_stream(made: Project, version: str) -> Stream:
    """HTML Living Standard, section 9.2."""
    request = f"GET /events HTTP/1.1\r\nHost: {made.address}\r\nAccept: text/event-stream\r\n\r\n"
    return Stream(made, request, f"data: {version}\n".encode())


@contextmanager
def opened(streams: list[Stream]) -> Iterator[list[Stream]]:
    try:
        yield streams
    finally:
        for stream in streams:
            stream.close()


def test_open_streams_go_on_until_the_drain_limit(
    tmp_path: Path, tell: Callable[..., None]
) -> None:
    with (
        project(tmp_path / "streams", drain=f"{DRAIN:g}s") as made,
        opened([web_socket(made, "1"), event_stream(made, "1")]) as old,
    ):
        before = made.pid("backend")
        made.write_version("2")
        began = time.monotonic()
        made.up()
        live = time.monotonic()
        with opened([web_socket(made, "2"), event_stream(made, "2")]) as new:
            assert not any(stream.ended for stream in old), "they live on after the switch"
            until(lambda: all(stream.ended for stream in old), "the drain limit ends them")
            # The limit counts from the switch, which lies between these two moments.
            for stream in old:
                assert stream.ended - began >= DRAIN
                assert stream.ended - live <= DRAIN + 5
                assert stream.last - began >= DRAIN - 1, "it told something until the end"
                assert b"2" not in stream.seen.partition(b"\r\n\r\n")[2].replace(b"\x81", b"")
            until(lambda: not Path(f"/proc/{before}").exists(), "the old instance ends")
            seen = [len(stream.seen) for stream in new]
            until(
                lambda: all(len(s.seen) > n for s, n in zip(new, seen, strict=True)),
                "the new streams go on",
            )
            assert not any(stream.ended for stream in new)
        tell(
            drain=f"{DRAIN:g} s",
            **{"ended after the switch": [f"{s.ended - live:.2f} s" for s in old]},
        )
