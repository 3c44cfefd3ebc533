"""A client of HTTP/2 (RFC 9113) that knows which of its requests the server took on.

After a GOAWAY a request of a higher number was not looked at and may be sent
again; browsers do so. Anything else that ends a request is a loss.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from pathlib import Path

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
STATIC = {8: "200", 9: "204", 10: "206", 11: "304", 12: "400", 13: "404", 14: "500"}  # RFC 7541, A


class NotTakenOnError(Exception):
    """The server goes away and has not looked at the request."""


class Link:
    """One connection over TLS, which may be asked for other names than it was opened under.

    Args:
        port: of the machine.
        name: the name that the certificate has to have.
        ca: who signs it.
        address: the machine's; default this one.
    """

    def __init__(self, port: int, name: str, ca: Path, address: str = "127.0.0.1") -> None:
        context = ssl.create_default_context(cafile=str(ca))
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection((address, port), timeout=10)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._link = context.wrap_socket(plain, server_hostname=name)
        assert self._link.selected_alpn_protocol() == "h2"
        self.name = name
        self.goes_away = False
        self._last = 2**31
        self._stream = -1
        self._data = b""
        # No table of headers: then what a status is written as depends on nothing before it.
        settings = struct.pack(">HI", 1, 0)
        self._link.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(SETTINGS, 0, 0, settings))

    def close(self) -> None:
        """End the connection."""
        with contextlib.suppress(OSError):
            self._link.close()

    def get(self, path: str = "/", authority: str = "") -> tuple[str, bytes]:
        """Status and body of one answer.

        Raises:
            NotTakenOnError: it may be asked for again, on another connection.
            OSError: it is lost.
        """
        self._stream += 2
        head = b"\x82\x87" + _literal(4, path) + _literal(1, authority or self.name)
        self._link.sendall(_frame(HEADERS, END_STREAM | END_HEADERS, self._stream, head))
        status, body = "", b""
        ends = False
        while not ends:
            kind, flags, stream, payload = self._receive()
            if stream == 0:
                self._heed(kind, flags, payload)
            if stream != self._stream:
                continue
            if kind == RST_STREAM:
                raise ConnectionError(f"stream reset: {struct.unpack('>I', payload)[0]}")
            if kind == HEADERS:
                assert not flags & PADDED
                status = _status(payload)
            elif kind == DATA and payload:
                body += payload
                self._link.sendall(_frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", len(payload))))
            ends = kind in (HEADERS, DATA) and bool(flags & END_STREAM)
        return status, body

    def _heed(self, kind: int, flags: int, payload: bytes) -> None:
        """What is said of the connection."""
        if kind in (SETTINGS, PING) and not flags & ACK:
            self._link.sendall(_frame(kind, ACK, 0, payload if kind == PING else b""))
        elif kind == GOAWAY:
            self.goes_away, self._last = True, struct.unpack(">I", payload[:4])[0]
            if self._stream > self._last:
                raise NotTakenOnError

    def _receive(self) -> tuple[int, int, int, bytes]:
        head = self._read(9)
        size = int.from_bytes(head[:3], "big")
        stream = struct.unpack(">I", head[5:9])[0] & 0x7FFFFFFF
        return head[3], head[4], stream, self._read(size)

    def _read(self, size: int) -> bytes:
        while len(self._data) < size:
            more = self._link.recv(65536)
            if not more:
                raise ConnectionError("closed within a request")
            self._data += more
        found, self._data = self._data[:size], self._data[size:]
        return found


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def _literal(name: int, text: str) -> bytes:
    """A header of the static table's name, not to be remembered (RFC 7541, 6.2.2)."""
    raw = text.encode()
    assert len(raw) < 127
    return bytes([name, len(raw)]) + raw


def _status(block: bytes) -> str:
    """The status, which is the first header of an answer."""
    while block[0] & 0xE0 == 0x20:  # the table's size is told
        block = block[1:]
    if block[0] & 0x80:
        return STATIC[block[0] & 0x7F]
    assert block[1] == 3, "three plain digits"
    return block[2:5].decode()
