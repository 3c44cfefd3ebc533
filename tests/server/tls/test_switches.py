"""Certificates switched again and again under load: no request is lost, and the new one is shown.

A few times by default, a hundred with `GEAR_LOAD=full`. What came of the requests is printed.
"""

from __future__ import annotations

import os
import sys
import time

import pytest

from tests.server.pushing import Clone
from tests.server.tls.asking import https, load, serial
from tests.server.tls.conftest import BLOG, BOTH, SHOP, give
from tests.server.tls.http2 import Link
from tests.server.tls.pem import Authority

pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("docker_daemon"),
    pytest.mark.timeout(1800),
]
FULL = os.environ.get("GEAR_LOAD") == "full"
SWITCHES = int(os.environ.get("GEAR_LOAD_SWITCHES") or (100 if FULL else 8))


@pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])
def test_no_request_is_lost(two: tuple[Clone, Clone, int], ca: Authority, http2: bool) -> None:
    shop, _, port = two
    began, late = time.monotonic(), []
    with (
        load(port, SHOP, ca.file, http2=http2) as seen,
        load(port, BLOG, ca.file, 2, http2=http2) as neighbour,
    ):
        for _ in range(SWITCHES):
            new = give(shop.host, ca, SHOP)
            # Right after the command: whoever connects now is shown the new one.
            late += [one for one in (serial(port, SHOP) for _ in range(10)) if one != new]
    sys.stderr.write(
        f"\n{'HTTP/2' if http2 else 'HTTP/1.1'}: {SWITCHES} switches in"
        f" {time.monotonic() - began:.0f} s, {seen.answered} requests over {seen.connections}"
        f" connections, {seen.sent_again} sent again as HTTP/2 allows, {len(seen.lost)} lost;"
        f" the neighbour: {neighbour.answered}, {len(neighbour.lost)} lost\n"
    )
    assert seen.lost == []
    assert neighbour.lost == []
    assert late == []
    assert seen.connections >= SWITCHES, "no connection met a new certificate"


def test_a_connection_is_for_the_names_of_its_certificate(
    two: tuple[Clone, Clone, int], ca: Authority
) -> None:
    shop, _, port = two
    give(shop.host, ca, SHOP, BOTH)
    link = Link(port, SHOP, ca.file)
    assert link.get() == ("200", b"hello shop\n")
    # A browser keeps to one connection for all names of a certificate.
    assert link.get(authority=f"{BOTH}:{port}") == ("200", b"hello blog\n")
    # Another app's certificate was not shown: its content is not, either.
    assert link.get(authority=BLOG)[0] == "421"
    assert link.get(authority="other.test")[0] == "421"
    assert link.get() == ("200", b"hello shop\n"), "the connection goes on"
    link.close()
    assert https(port, BLOG, ca.file)[:2] == (200, "hello blog\n")
    assert https(port, SHOP, ca.file, host=BLOG)[0] == 421
    assert https(port, SHOP, ca.file, host="other.test")[0] == 421
    assert https(port, SHOP, ca.file, host=SHOP.upper())[:2] == (200, "hello shop\n")
    assert https(port, SHOP.upper(), ca.file)[:2] == (200, "hello shop\n")
