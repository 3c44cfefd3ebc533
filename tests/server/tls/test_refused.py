"""Certificates that a host does not take: each is refused with what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from geartrain.engine.certificates import Source, Store
from geartrain.errors import InvalidError
from tests.server.pushing import HostFolder
from tests.server.tls.pem import DAY, Authority, Pair


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def refused(tmp_path: Path, pair: Pair, domain: str = "a.test") -> str:
    store = Store(tmp_path / "store")
    with pytest.raises(InvalidError) as caught:
        store.put(domain, pair.cert.read_bytes(), pair.key.read_bytes(), Source.OWN)
    assert store.every() == {}
    assert not list(store.folder.rglob("*.pem"))
    return str(caught.value)


def test_another_name(ca: Authority, tmp_path: Path) -> None:
    said = refused(tmp_path, ca.give("b.test", "*.c.test"))
    assert "the certificate is not for a.test: it has b.test, *.c.test" in said
    assert "not for b.c.a.test" in refused(tmp_path, ca.give("*.a.test"), "b.c.a.test")


def test_another_key(ca: Authority, tmp_path: Path) -> None:
    pair = ca.give("a.test")
    pair.key = ca.give("a.test").key
    assert "the key belongs to another certificate" in refused(tmp_path, pair)


def test_out_of_date(ca: Authority, tmp_path: Path) -> None:
    old = ca.give("a.test", since=-20 * DAY, until=-DAY)
    assert "the certificate ended on " in refused(tmp_path, old)
    early = ca.give("a.test", since=DAY)
    assert "the certificate begins on " in refused(tmp_path, early)


def test_a_chain_that_is_not_in_order(ca: Authority, tmp_path: Path) -> None:
    pair = ca.give("a.test")
    pair.cert.write_bytes(pair.cert.read_bytes() + ca.give("b.test").cert.read_bytes())
    assert "the chain is not in order" in refused(tmp_path, pair)


@pytest.mark.parametrize("text", [b"", b"\0" * 9, b"-----BEGIN CERTIFICATE-----\n"])
def test_what_is_no_certificate(ca: Authority, tmp_path: Path, text: bytes) -> None:
    pair = ca.give("a.test")
    pair.cert.write_bytes(text)
    assert "there is no certificate" in refused(tmp_path, pair)
    whole = ca.give("a.test")
    whole.key.write_bytes(text)
    assert "the key cannot be read" in refused(tmp_path, whole)


def test_one_for_all_names_below_is_found_for_each(ca: Authority, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    pair = ca.give("*.a.test")
    made = store.put("*.a.test", pair.cert.read_bytes(), pair.key.read_bytes(), Source.OWN)
    assert store.find(["b.a.test", "a.test", "c.b.a.test"]) == {"b.a.test": made}


def test_those_before_are_kept_for_older_configurations(ca: Authority, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    made = []
    for _ in range(6):
        pair = ca.give("a.test")
        one = store.put("a.test", pair.cert.read_bytes(), pair.key.read_bytes(), Source.OWN)
        made.append(one.fingerprint)
    store.sweep()
    kept = {path.name for path in (store.folder / "certificates").iterdir()}
    assert kept == {*made[-4:]}
    assert store.every()["a.test"].before == tuple(reversed(made[-4:-1]))
    assert store.forget("a.test")
    store.sweep()
    assert not list(store.folder.rglob("*.pem"))


def test_a_host_that_serves_http_alone_says_so(tmp_path: Path) -> None:
    host = HostFolder(tmp_path / "host")
    host.gear("host", "init", "--engine", "embedded")
    for words in (("list",), ("renew",), ("remove", "a.test")):
        assert "serves http alone" in host.gear("tls", *words, code=1).err
