"""An ACME authority (RFC 8555) that does on demand what real ones do on bad days.

It believes everybody: authorizations are valid unless it is told to do otherwise.
"""

from __future__ import annotations

import base64
import datetime
import email.utils
import http.server
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.server.tls.pem import DAY, Authority

PROBLEM = "urn:ietf:params:acme:error:"


@dataclass
class Fake:
    """What it does, and what it was asked for."""

    authority: Authority
    url: str = ""
    status: int = 0
    """Answer whatever is asked of it with this, without more."""
    hangs: bool = False
    """Take requests, and never answer."""
    limited: str = ""
    """`Retry-After` of a refusal of every order."""
    nonces: int = 0
    """So many nonces are refused first."""
    authorization: str = "valid"
    order: str = "valid"
    """Status of an order that was finalized."""
    ahead: float = 0.0
    """Seconds that its clock is ahead."""
    since: datetime.timedelta = -DAY
    until: datetime.timedelta = 60 * DAY
    asked: list[str] = field(default_factory=list)
    fresh: set[str] = field(default_factory=set)
    """Nonces that were given and not used yet; no other is taken."""
    given: bytes = b""
    over: threading.Event = field(default_factory=threading.Event)

    def times(self, path: str) -> int:
        return self.asked.count(path)

    def sign(self, csr: bytes) -> None:
        wanted = x509.load_der_x509_csr(csr)
        names = wanted.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        shift = datetime.timedelta(seconds=self.ahead)
        made = self.authority.sign(
            wanted.public_key(), names.get_values_for_type(x509.DNSName),  # type: ignore[arg-type]
            self.since + shift, self.until + shift,
        )  # fmt: skip
        self.given = made.public_bytes(serialization.Encoding.PEM)


@contextmanager
def fake(authority: Authority) -> Iterator[Fake]:
    """Run one, on a port of its own."""
    one = Fake(authority)

    class Handler(_Handler):
        it = one

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    one.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield one
    finally:
        one.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    it: Fake
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self._body = b""
        self._handle()

    def do_POST(self) -> None:
        self._body = self.rfile.read(int(self.headers["Content-Length"]))
        self._handle()

    def date_time_string(self, timestamp: float | None = None) -> str:
        return email.utils.formatdate((timestamp or time.time()) + self.it.ahead, usegmt=True)

    def _handle(self) -> None:
        it, what = self.it, self.path.strip("/")
        it.asked.append(what)
        if it.hangs:
            it.over.wait(60)
            self.close_connection = True
            return
        if it.status:
            self._say(it.status, b"<h1>sorry</h1>")
            return
        if what == "dir":
            names = ("newNonce", "newAccount", "newOrder", "revokeCert", "keyChange")
            self._json({name: f"{it.url}/{name}" for name in names})
        elif self.command == "POST" and not self._likes_nonce():
            self._problem(400, "badNonce", "this nonce is not liked")
        else:
            getattr(self, f"_{what}")()

    def _likes_nonce(self) -> bool:
        nonce = json.loads(_decoded(json.loads(self._body)["protected"]))["nonce"]
        known = nonce in self.it.fresh
        self.it.fresh.discard(nonce)
        if known and self.it.nonces:
            self.it.nonces -= 1
            return False
        return known

    def _newNonce(self) -> None:  # noqa: N802 - the protocol's name
        self._say(200, b"")

    def _newAccount(self) -> None:  # noqa: N802 - the protocol's name
        self._json({"status": "valid"}, 201, Location=f"{self.it.url}/account")

    def _newOrder(self) -> None:  # noqa: N802 - the protocol's name
        if self.it.limited:
            self._problem(429, "rateLimited", "too many certificates",
                          **{"Retry-After": self.it.limited})  # fmt: skip
            return
        self._order(201, "pending")

    def _order(self, code: int = 200, status: str = "") -> None:
        url = self.it.url
        body = {
            "status": status or self.it.order,
            "identifiers": [{"type": "dns", "value": "a.test"}],
            "authorizations": [f"{url}/authorization"],
            "finalize": f"{url}/finalize",
            "certificate": f"{url}/certificate",
        }
        self._json(body, code, Location=f"{url}/order")

    def _authorization(self) -> None:
        status = self.it.authorization
        wrong = {"type": f"{PROBLEM}unauthorized", "detail": "404 at 203.0.113.9"}
        early = status == "invalid" and not self.it.times("challenge")
        body = {
            "status": "pending" if early else status,
            "identifier": {"type": "dns", "value": "a.test"},
            "challenges": [self._asked(**({"error": wrong} if status == "invalid" else {}))],
        }  # fmt: skip
        self._json(body)

    def _asked(self, **more: Any) -> dict[str, Any]:
        token = "dG9rZW4tb2YtMTI4LWJpdHM"
        return {"type": "http-01", "url": f"{self.it.url}/challenge", "token": token,
                "status": "pending", **more}  # fmt: skip

    def _challenge(self) -> None:
        self._json(self._asked(), Link=f'<{self.it.url}/authorization>;rel="up"')

    def _finalize(self) -> None:
        payload = json.loads(_decoded(json.loads(self._body)["payload"]))
        self.it.sign(_decoded(payload["csr"]))
        self._order(status="processing")

    def _certificate(self) -> None:
        self._say(200, self.it.given, **{"Content-Type": "application/pem-certificate-chain"})

    def _problem(self, code: int, kind: str, detail: str, **headers: str) -> None:
        body = {"type": f"{PROBLEM}{kind}", "detail": detail, "status": code}
        self._json(body, code, **headers)

    def _json(self, body: object, code: int = 200, **headers: str) -> None:
        self._say(
            code, json.dumps(body).encode(), **{"Content-Type": "application/json", **headers}
        )

    def _say(self, code: int, body: bytes, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        nonce = secrets.token_urlsafe(16)
        self.it.fresh.add(nonce)
        self.send_header("Replay-Nonce", nonce)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
