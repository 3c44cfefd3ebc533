"""Clients of a host with TLS: one question, and many over connections that are kept."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509


def connect(
    port: int, name: str, ca: Path, address: str = "127.0.0.1", patience: float = 10
) -> http.client.HTTPConnection:
    """A connection over TLS to a machine, under a name that the certificate has to have."""
    context = ssl.create_default_context(cafile=str(ca))
    context.set_alpn_protocols(["http/1.1"])
    link = http.client.HTTPConnection(name, port, timeout=patience)
    plain = socket.create_connection((address, port), timeout=patience)
    link.sock = context.wrap_socket(plain, server_hostname=name)
    return link


def https(port: int, name: str, ca: Path, path: str = "/") -> tuple[int, str, dict[str, str]]:
    """Status, body and headers of one answer."""
    with contextlib.closing(connect(port, name, ca)) as link:
        link.request("GET", path)
        answer = link.getresponse()
        return answer.status, answer.read().decode(), dict(answer.getheaders())


def http_(port: int, name: str, path: str = "/") -> tuple[int, str, dict[str, str]]:
    """The same without TLS, and without following where it leads."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(link):
        link.request("GET", path, headers={"Host": name})
        answer = link.getresponse()
        return answer.status, answer.read().decode(), dict(answer.getheaders())


def serial(port: int, name: str, address: str = "127.0.0.1") -> int:
    """The serial number of the certificate that is shown for a name, whoever signed it."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((address, port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=name) as link,
    ):
        return x509.load_der_x509_certificate(link.getpeercert(True) or b"").serial_number


@dataclass
class Load:
    """What came of requests over kept connections; a lost one is a failure."""

    answered: int = 0
    lost: list[str] = field(default_factory=list)
    connections: int = 0
    turn: threading.Lock = field(default_factory=threading.Lock)


@contextlib.contextmanager
def load(
    port: int, name: str, ca: Path, clients: int = 4, address: str = "127.0.0.1"
) -> Iterator[Load]:
    """Ask without pause over kept connections while the block runs."""
    seen, stop = Load(), threading.Event()
    threads = [
        threading.Thread(target=_client, args=(seen, stop, port, name, ca, address))
        for _ in range(clients)
    ]
    for one in threads:
        one.start()
    try:
        _until(seen, 50)
        yield seen
        _until(seen, seen.answered + 200)
    finally:
        stop.set()
        for one in threads:
            one.join()


def _until(seen: Load, answered: int) -> None:
    end = time.monotonic() + 10
    while seen.answered < answered:
        assert time.monotonic() < end, seen
        time.sleep(0.01)


def _client(
    seen: Load, stop: threading.Event, port: int, name: str, ca: Path, address: str
) -> None:
    """One client; it opens another connection only when the server said that it closes this one."""
    link = None
    while not stop.is_set():
        try:
            if link is None:
                link = connect(port, name, ca, address)
                with seen.turn:
                    seen.connections += 1
            link.request("GET", "/")
            answer = link.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            with seen.turn:
                seen.lost.append(repr(error))
            link = None
            continue
        with seen.turn:
            if answer.status == 200:
                seen.answered += 1
            else:
                seen.lost.append(str(answer.status))
        if answer.getheader("Connection") == "close":
            link.close()
            link = None
