"""Clients of a host with TLS: one question, and many over connections that are kept."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509

from tests.cli.running import PATIENCE
from tests.server.tls.http2 import Link, NotTakenOnError


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


def https(
    port: int, name: str, ca: Path, path: str = "/", host: str = ""
) -> tuple[int, str, dict[str, str]]:
    """Status, body and headers of one answer; `host` is asked for where it is another name."""
    with contextlib.closing(connect(port, name, ca)) as link:
        link.request("GET", path, headers={"Host": host or name})
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
        context.wrap_socket(plain, server_hostname=name or None) as link,
    ):
        return x509.load_der_x509_certificate(link.getpeercert(True) or b"").serial_number


@dataclass
class Load:
    """What came of requests over kept connections; a lost one is a failure."""

    answered: int = 0
    sent_again: int = 0  # over HTTP/2, where the server said that it had not looked at it
    lost: list[str] = field(default_factory=list)
    connections: int = 0
    turn: threading.Lock = field(default_factory=threading.Lock)


@contextlib.contextmanager
def load(
    port: int,
    name: str,
    ca: Path,
    clients: int = 4,
    address: str = "127.0.0.1",
    *,
    http2: bool = False,
) -> Iterator[Load]:
    """Ask without pause over kept connections while the block runs."""
    seen, stop = Load(), threading.Event()
    kind = Link if http2 else _Http1

    def opened() -> _Http1 | Link:
        return kind(port, name, ca, address)

    threads = [threading.Thread(target=_client, args=(seen, stop, opened)) for _ in range(clients)]
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
    end = time.monotonic() + PATIENCE
    while seen.answered < answered:
        assert time.monotonic() < end, seen
        time.sleep(0.01)


class _Http1:
    """A kept connection that speaks HTTP/1.1, with the verbs of `http2.Link`."""

    def __init__(self, port: int, name: str, ca: Path, address: str) -> None:
        self._link = connect(port, name, ca, address)
        self.goes_away = False

    def get(self) -> tuple[str, bytes]:
        self._link.request("GET", "/")
        answer = self._link.getresponse()
        self.goes_away = answer.getheader("Connection") == "close"
        return str(answer.status), answer.read()

    def close(self) -> None:
        self._link.close()


def _client(seen: Load, stop: threading.Event, opened: Callable[[], _Http1 | Link]) -> None:
    """One client; it opens another connection only when the server said that it leaves this one."""
    link: _Http1 | Link | None = None
    while not stop.is_set():
        try:
            if link is None:
                link = opened()
                with seen.turn:
                    seen.connections += 1
            status, _ = link.get()
        except NotTakenOnError:
            with seen.turn:
                seen.sent_again += 1
            assert link is not None
            link.close()
            link = None
            continue
        except (OSError, http.client.HTTPException) as error:
            with seen.turn:
                seen.lost.append(repr(error))
            link = None
            continue
        with seen.turn:
            if status == "200":
                seen.answered += 1
            else:
                seen.lost.append(status)
        if link.goes_away:
            link.close()
            link = None
    if link is not None:
        link.close()
