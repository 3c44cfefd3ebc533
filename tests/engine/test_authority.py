"""A user's own certificate authority, judged by OpenSSL."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from geartrain.engine import authority

NAMES = ("shop.test", "127.0.0.1", "::1")


def handshake(folder: Path, trusted: Path, name: str) -> str:
    """Speak TLS with the certificate of a folder; the common name of it, or why not."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    client = ssl.create_default_context(cafile=str(trusted))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    theirs.settimeout(10)

    def serve() -> None:
        try:
            server.wrap_socket(theirs, server_side=True).close()
        except OSError:
            theirs.close()

    answering = threading.Thread(target=serve)
    answering.start()
    try:
        with client.wrap_socket(ours, server_hostname=name) as link:
            subject = (link.getpeercert() or {})["subject"]
            return str(subject[0][0][1])
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    finally:
        answering.join()


@pytest.mark.parametrize("name", NAMES)
def test_who_trusts_the_authority_trusts_the_certificate(tmp_path: Path, name: str) -> None:
    authority.ensure(tmp_path / "tls", NAMES, tmp_path / "ca")
    assert handshake(tmp_path / "tls", tmp_path / "ca/ca.pem", name) == "shop.test"


def test_for_other_names_it_is_not_good(tmp_path: Path) -> None:
    authority.ensure(tmp_path / "tls", NAMES, tmp_path / "ca")
    assert "not valid for" in handshake(tmp_path / "tls", tmp_path / "ca/ca.pem", "evil.test")
    authority.ensure(tmp_path / "other", NAMES, tmp_path / "another-ca")
    said = handshake(tmp_path / "other", tmp_path / "ca/ca.pem", "shop.test")
    assert said == "unable to get local issuer certificate" or "self-signed" in said


def test_a_good_certificate_is_kept(tmp_path: Path) -> None:
    authority.ensure(tmp_path / "tls", NAMES, tmp_path / "ca")
    before = authority.describe(tmp_path / "tls")
    authority.ensure(tmp_path / "tls", NAMES, tmp_path / "ca")
    assert authority.describe(tmp_path / "tls") == before


def test_another_name_or_authority_makes_another(tmp_path: Path) -> None:
    folder, ca = tmp_path / "tls", tmp_path / "ca"
    seen = set()
    for names, home in ((NAMES, ca), (NAMES[:1], ca), (NAMES[:1], tmp_path / "ca2")):
        authority.ensure(folder, names, home)
        seen.add(authority.describe(folder)[0])
        assert handshake(folder, home / "ca.pem", "shop.test") == "shop.test"
    assert len(seen) == 3


def test_it_is_made_anew_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority.ensure(tmp_path / "tls", NAMES, tmp_path / "ca")
    first, until = authority.describe(tmp_path / "tls")
    late = datetime.datetime.fromtimestamp(until, datetime.UTC) + datetime.timedelta(days=1)
    monkeypatch.setattr(authority, "_now", lambda: late)
    authority.ensure(tmp_path / "tls", NAMES, tmp_path / "ca")
    assert authority.describe(tmp_path / "tls")[0] != first


@pytest.mark.parametrize(
    "file", ["tls/certificate.pem", "tls/key.pem", "ca/ca.pem", "ca/ca-key.pem"]
)
def test_what_is_damaged_is_made_anew(tmp_path: Path, file: str) -> None:
    authority.ensure(tmp_path / "tls", NAMES, tmp_path / "ca")
    (tmp_path / file).write_text("damaged")
    authority.ensure(tmp_path / "tls", NAMES, tmp_path / "ca")
    assert handshake(tmp_path / "tls", tmp_path / "ca/ca.pem", "shop.test") == "shop.test"


def test_nobody_else_reads_the_keys(tmp_path: Path) -> None:
    authority.ensure(tmp_path / "tls", NAMES, tmp_path / "ca")
    for file in ("tls/key.pem", "ca/ca-key.pem"):
        assert (tmp_path / file).stat().st_mode & 0o777 == 0o600


def test_projects_that_want_the_authority_first_at_once_share_it(tmp_path: Path) -> None:
    together = threading.Barrier(6)

    def want(number: int) -> None:
        together.wait()
        authority.ensure(tmp_path / str(number), NAMES, tmp_path / "ca")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(want, range(6)))
    trusted = tmp_path / "ca/ca.pem"
    assert {handshake(tmp_path / str(n), trusted, "shop.test") for n in range(6)} == {"shop.test"}
