"""An authority on a bad day: each failure is one line with its reason, and none waits for ever."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from geartrain.engine.certificates import Store
from geartrain.server import acme, acme_network, clock
from geartrain.server.acme import NoCertificateError, obtain
from tests.server.tls.fake_acme import Fake, fake
from tests.server.tls.pem import DAY, Authority

NAME = "a.test"


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def bad(ca: Authority) -> Iterator[Fake]:
    with fake(ca) as one:
        yield one


@pytest.fixture
def store(tmp_path: Path, bad: Fake) -> Store:
    made = Store(tmp_path / "tls")
    made.decide(replace(made.settings(), acme=True, directory=f"{bad.url}/dir"))
    return made


def refused(store: Store) -> NoCertificateError:
    with pytest.raises(NoCertificateError) as caught:
        obtain(store, NAME)
    assert "\n" not in caught.value.what
    assert not list(store.challenges.glob("*")), "answers are left behind"
    return caught.value


def test_a_good_day(store: Store) -> None:
    chain, key = obtain(store, NAME)
    assert chain.startswith(b"-----BEGIN CERTIFICATE-----")
    assert key.startswith(b"-----BEGIN PRIVATE KEY-----")


def test_refused_nonces_are_tried_again(store: Store, bad: Fake) -> None:
    bad.nonces = 4
    obtain(store, NAME)
    assert bad.nonces == 0
    assert bad.times("newAccount") == 5
    assert bad.times("newNonce") == 1, "a refusal brings the next nonce along"
    bad.nonces = 10**6
    said = refused(store)
    assert said.what == f"{bad.url}/dir refuses: this nonce is not liked"
    assert 10**6 - bad.nonces == 5


def test_a_rate_limit_tells_how_long_to_wait(store: Store, bad: Fake) -> None:
    bad.limited = "7200"
    said = refused(store)
    assert said.what == f"{bad.url}/dir takes no more requests for now: too many certificates"
    assert (said.wait, said.others) == (7200.0, True)


@pytest.mark.parametrize("status", [500, 503])
def test_an_authority_that_is_broken(store: Store, bad: Fake, status: int) -> None:
    bad.status = status
    said = refused(store)
    assert said.what == f"{bad.url}/dir answers {status} and no more"
    assert said.others


def test_an_authority_that_is_away(store: Store) -> None:
    store.decide(replace(store.settings(), directory="http://127.0.0.1:9/dir"))
    said = refused(store)
    assert said.what == "http://127.0.0.1:9/dir cannot be asked: ConnectionError"
    assert said.others


def test_an_authority_that_never_answers(
    store: Store, bad: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acme_network, "ANSWER_WITHIN", 0.5)
    bad.hangs = True
    began = time.monotonic()
    said = refused(store)
    assert said.what == f"{bad.url}/dir cannot be asked: ReadTimeout"
    assert time.monotonic() - began < 30


def test_all_of_it_has_an_end(store: Store, bad: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acme, "WITHIN", -1.0)
    assert "cannot be asked: Timeout" in refused(store).what
    assert bad.asked == []


@pytest.mark.parametrize("what", ["authorization", "order"])
def test_what_is_never_decided(
    store: Store, bad: Fake, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acme, "WITHIN", 2.0)
    setattr(bad, what, {"authorization": "pending", "order": "processing"}[what])
    began = time.monotonic()
    said = refused(store).what
    assert said in (
        f"{bad.url}/dir did not decide about a.test within 2 s",
        f"{bad.url}/dir cannot be asked: Timeout",
    )
    assert 1 < time.monotonic() - began < 60


def test_a_domain_that_leads_elsewhere(store: Store, bad: Fake) -> None:
    bad.authorization = "invalid"
    said = refused(store)
    assert said.what == "a.test does not lead here: it has no address; 404 at 203.0.113.9"
    assert "have its DNS point to this machine" in said.remedy
    assert not said.others


@pytest.mark.parametrize(
    ("ahead", "said"), [(3 * 86400.0, "3 days behind"), (-100 * 86400.0, "100 days ahead of")]
)
def test_a_clock_that_is_wrong(store: Store, bad: Fake, ahead: float, said: str) -> None:
    bad.ahead = ahead
    told = refused(store)
    assert told.what.startswith(
        f"this machine's clock is {said} that of {bad.url}/dir: the certificate "
    )
    assert told.remedy == clock.REMEDY


def test_a_certificate_that_is_not_good_now_though_the_clock_is(store: Store, bad: Fake) -> None:
    bad.since = DAY
    assert refused(store).what.startswith(f"{bad.url}/dir: the certificate begins on ")


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        (DAY, 60 * DAY, "its certificate is not valid yet by this machine's clock ("),
        (-2 * DAY, -DAY, "its certificate has ended by this machine's clock ("),
        (-DAY, DAY, "its certificate is signed by nobody whom this machine trusts"),
    ],
)
def test_an_authority_whose_own_certificate_is_not_believed(
    store: Store, ca: Authority, since: object, until: object, said: str
) -> None:
    pair = ca.give("localhost", since=since, until=until)  # type: ignore[arg-type]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    trusted = "" if "nobody" in said else str(ca.file)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            link, _ = server.accept()
            with link, pytest.raises(OSError):
                context.wrap_socket(link, server_side=True).recv(1)

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"https://localhost:{server.getsockname()[1]}/dir"
        store.decide(replace(store.settings(), directory=url, authority=trusted))
        told = refused(store)
        thread.join(10)
    assert told.what.startswith(f"{url} cannot be asked: {said}")


def test_what_a_retry_after_says() -> None:
    assert clock.retry_after("120", 0.0) == 120
    assert clock.retry_after("Thu, 01 Jan 1970 00:05:00 GMT", 60.0) == 240
    assert clock.retry_after("Thu, 01 Jan 1970 00:05:00 GMT", 900.0) == 0
    assert clock.retry_after("9" * 400, 0.0) == clock.LONGEST
    for nonsense in ("", "soon", "-5", "1e9", "٣"):
        assert clock.retry_after(nonsense, 0.0) == 0, nonsense


def test_how_far_a_clock_is_off() -> None:
    now = 86400.0
    assert clock.seconds_ahead("Thu, 01 Jan 1970 00:00:00 GMT", now) == now
    assert clock.seconds_ahead("", now) is None
    assert clock.told(200.0, "x") == ""
    assert clock.told(-600.0, "x") == "this machine's clock is 10 minutes behind that of x"
    assert clock.told(3 * 3600.0, "x") == "this machine's clock is 3 hours ahead of that of x"
