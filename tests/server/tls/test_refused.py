"""Certificates that a host does not take: each is refused with what is wrong with it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from geartrain.engine.certificates import Source, Store
from geartrain.errors import InvalidError
from tests.server.pushing import HostFolder
from tests.server.tls.pem import DAY, Authority, Pair, Private

STRONG = rsa.generate_private_key(65537, 2048)


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


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (rsa.generate_private_key(65537, 1024), "the key is RSA of 1024 bits, which is too few"),
        (ec.generate_private_key(ec.SECP256K1()), "the key is on the curve secp256k1"),
    ],
)
def test_a_key_that_nobody_takes(ca: Authority, tmp_path: Path, key: Private, said: str) -> None:
    told = refused(tmp_path, ca.give("a.test", key=key))
    assert said in told
    assert "RSA of 2048 bits or more, or P-256" in told
    Store(tmp_path / "store").put("a.test", *read(ca.give("a.test", key=STRONG)), Source.OWN)


def read(pair: Pair) -> tuple[bytes, bytes]:
    return pair.cert.read_bytes(), pair.key.read_bytes()


def test_a_full_disk_leaves_the_old_one(ca: Authority, tmp_path: Path) -> None:
    host = HostFolder(tmp_path / "host")
    host.gear("host", "init", "--engine", "docker")
    (tmp_path / "host" / "edge" / "tls").mkdir(parents=True)
    with small_disk(tmp_path / "host" / "edge" / "tls", "48k"):
        store = Store(tmp_path / "host" / "edge" / "tls")
        first, second = ca.give("a.test"), ca.give("a.test")
        host.gear("tls", "set", "a.test", "--cert", first.cert, "--key", first.key)
        before = store.every()["a.test"]
        with contextlib.suppress(OSError), (store.folder / "filler").open("wb", 0) as filler:
            while True:
                filler.write(bytes(4096))
        done = host.gear("tls", "set", "a.test", "--cert", second.cert, "--key", second.key, code=1)
        assert "the disk is full; make room and run the same again" in done.err
        assert store.every() == {"a.test": before}
        assert [one.read_bytes() for one in store.files(before.fingerprint)] == [*read(first)]
        (store.folder / "filler").unlink()
        host.gear("tls", "set", "a.test", "--cert", second.cert, "--key", second.key)
        assert store.every()["a.test"].before == (before.fingerprint,)


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("a small disk needs root, and the right to mount")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_key_that_others_can_read_is_told(ca: Authority, tmp_path: Path) -> None:
    host = HostFolder(tmp_path / "host")
    host.gear("host", "init", "--engine", "docker")
    pair = ca.give("a.test")
    pair.key.chmod(0o644)
    done = host.gear("tls", "set", "a.test", "--cert", pair.cert, "--key", pair.key)
    assert f"{pair.key} can be read by others: chmod 600 {pair.key}" in done.err
    kept = Store(tmp_path / "host" / "edge" / "tls")
    assert kept.files(kept.every()["a.test"].fingerprint)[1].stat().st_mode & 0o777 == 0o600
    pair.key.chmod(0o600)
    done = host.gear("tls", "set", "a.test", "--cert", pair.cert, "--key", pair.key)
    assert done.err == ""


def test_what_nginx_names_stays_though_no_domain_has_it(ca: Authority, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    made = store.put("a.test", *read(ca.give("a.test")), Source.OWN)
    store.forget("a.test")
    store.sweep([made.fingerprint])
    assert store.files(made.fingerprint)[1].exists()
    store.sweep()
    assert not store.files(made.fingerprint)[1].exists()


def test_one_that_was_not_served_is_put_back(ca: Authority, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    first = store.put("a.test", *read(ca.give("a.test")), Source.OWN)
    second = store.put("a.test", *read(ca.give("a.test")), Source.OWN)
    store.put_back(second, first)
    assert store.every() == {"a.test": first}
    store.put_back(second, None)  # somebody else was quicker
    assert store.every() == {"a.test": first}
    store.put_back(first, None)
    assert store.every() == {}


MOMENTS = """
import os, signal, sys
from pathlib import Path
from geartrain.engine.certificates import Source, Store
left = int(sys.argv[1])
store = Store(Path(sys.argv[2]))
store.settings()
def moment(event, arguments):
    global left
    if event in ("open", "os.rename", "os.mkdir", "os.remove", "os.chmod"):
        if str(sys.argv[2]) in str(arguments[0]):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
chain, key = (Path(one).read_bytes() for one in sys.argv[3:5])
sys.addaudithook(moment)
store.put("a.test", chain, key, Source.OWN)
store.sweep()
"""


def test_after_a_kill_there_is_the_old_one_or_the_new_one(ca: Authority, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    first, second = ca.give("a.test"), ca.give("a.test")
    seen = set()
    for at in range(1, 100):
        store.put("a.test", *read(first), Source.OWN)
        store.sweep()
        words = [sys.executable, "-c", MOMENTS, str(at), str(store.folder), second.cert, second.key]
        code = subprocess.run(words, check=False, timeout=60).returncode
        one = store.every()["a.test"]
        kept = [path.read_bytes() for path in store.files(one.fingerprint)]
        assert kept in ([*read(first)], [*read(second)]), f"at {at}: half of a certificate"
        seen.add(kept == [*read(second)])
        if code == 0:
            break
        assert code == -signal.SIGKILL
    else:
        pytest.fail("it never came to its end")
    assert at > 8, "no moment was met"
    assert seen == {False, True}


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
