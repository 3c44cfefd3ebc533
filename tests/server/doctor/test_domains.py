"""Whether domains lead here, asked of real servers."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest

from geartrain.engine.certificates import Certificate, Source, Store
from geartrain.server.certificates import Row
from geartrain.server.doctor.domains import domains, keys
from geartrain.server.doctor.finding import Finding
from tests.ports import free_port

DAY = 86400.0
Start = Callable[[Path], int]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def start() -> Iterator[Start]:
    """Serve a folder; the port."""
    started = []

    def serve(folder: Path) -> int:
        made = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), partial(Quiet, directory=str(folder))
        )
        threading.Thread(target=made.serve_forever, daemon=True).start()
        started.append(made)
        return int(made.server_address[1])

    yield serve
    for one in started:
        one.shutdown()
        one.server_close()


def of(domain: str, until: float | None = None) -> Row:
    one = until and Certificate(
        domain=domain, fingerprint="f", names=(domain,), since=0, until=until, issuer="i",
        source=Source.ACME,
    )  # fmt: skip
    return Row(domain=domain, app="shop", certificate=one or None)


def told(found: list[Finding]) -> list[tuple[str, bool]]:
    return [(one.what, one.ok) for one in found]


def test_a_domain_that_leads_here(tmp_path: Path, start: Start) -> None:
    store = Store(tmp_path / "tls")
    port = start(store.public)
    found = domains([of("localhost", 100 * DAY)], store, 0.0, port)
    assert told(found) == [
        (found[0].what, True),
        ("the certificate of localhost is good for 100 days", True),
    ]
    assert found[0].what.startswith("localhost (")
    assert found[0].what.endswith(") leads here")
    assert list(store.challenges.iterdir()) == [], "nothing is left behind"


def test_a_domain_at_which_somebody_else_answers(tmp_path: Path, start: Start) -> None:
    (tmp_path / "other").mkdir()
    port = start(tmp_path / "other")
    [first, _] = domains([of("localhost")], Store(tmp_path / "tls"), 0.0, port)
    assert not first.ok
    assert f"leads elsewhere: somebody else answers on port {port}, with 404" in first.what


def test_a_domain_at_which_nobody_answers(tmp_path: Path) -> None:
    port = free_port()
    [first, _] = domains([of("localhost")], Store(tmp_path / "tls"), 0.0, port)
    assert not first.ok
    assert f"leads elsewhere: no answer on port {port}" in first.what


def test_a_domain_without_an_address(tmp_path: Path) -> None:
    [first, second] = domains([of("shop.invalid")], Store(tmp_path / "tls"), 0.0, free_port())
    assert first.what.startswith("shop.invalid has no address")
    assert "A or AAAA record" in first.remedy
    assert (second.what, second.ok) == ("shop.invalid has no certificate", False)


def test_a_key_that_others_can_read(tmp_path: Path) -> None:
    store = Store(tmp_path / "tls")
    key = store.folder / "certificates" / "f" / "key.pem"
    key.parent.mkdir(parents=True)
    key.touch(0o600)
    assert list(keys(store)) == []
    key.chmod(0o640)
    [found] = keys(store)
    assert (found.ok, found.what) == (False, f"{key} can be read by others")
    assert found.remedy.startswith(f"chmod 600 {key}")


def test_a_certificate_that_begins_later(tmp_path: Path) -> None:
    one = msgspec.structs.replace(of("a.test", 90 * DAY), app="")
    assert one.certificate is not None
    late = msgspec.structs.replace(one.certificate, since=20 * DAY)
    row = msgspec.structs.replace(one, certificate=late)
    [found] = domains([row], Store(tmp_path / "tls"), 2 * DAY)
    assert found.what == (
        "the certificate of a.test begins on 1970-01-21, and this machine's clock says"
        " 1970-01-03: set the clock right"
    )


def test_a_certificate_that_ends_soon(tmp_path: Path) -> None:
    [found] = domains([of("*.shop.example", 9.2 * DAY)], Store(tmp_path / "tls"), 0.0)
    assert not found.ok
    assert found.what == "the certificate of *.shop.example ends in 9 days, on 1970-01-10"
