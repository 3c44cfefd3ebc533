"""Certificates switched again and again under load: no request is lost, and the new one is shown.

A few times by default, a hundred with `GEAR_LOAD=full`. What came of the requests is printed.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from geartrain.engine.docker.host import DockerHost
from tests.cli.running import free_port
from tests.engine.docker.hosts import clean
from tests.server.pushing import Clone, HostFolder, clone_of
from tests.server.tls.asking import https, load, serial
from tests.server.tls.http2 import Link
from tests.server.tls.pem import Authority

pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("docker_daemon"),
    pytest.mark.timeout(1800),
]
FULL = os.environ.get("GEAR_LOAD") == "full"
SWITCHES = 100 if FULL else 8
SHOP, BLOG, BOTH = "shop.gear.test", "blog.gear.test", "both.gear.test"


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostFolder]:
    made = HostFolder(tmp_path_factory.mktemp("switches") / "host")
    made.gear("host", "init", "--engine", "docker")
    made.gear("tls", "settings", "--port", str(free_port()))
    yield made
    for one in made.gear("app", "list", "--json").json():
        made.gear("destroy", one["app"], "--data", "--yes", code=None)
    clean(DockerHost(made.folder))


def app(host: HostFolder, place: Path, name: str, *domains: str, port: int) -> Clone:
    made = clone_of(host, f"{name}{time.time_ns() % 10**6}", place)
    host.gear("app", "env", made.app, f"EDGE_PORT={port}")
    made.port = port
    text = (made.folder / "docker-compose.yml").read_text()
    made.write("docker-compose.yml", f"x-gear: {{domains: [{', '.join(domains)}]}}\n{text}")
    made.version(name)
    made.push()
    return made


@pytest.fixture(scope="module")
def two(
    host: HostFolder, ca: Authority, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Clone, Clone, int]:
    """Two apps on https, each with a certificate of its own, and a third name that shares one."""
    place, port = tmp_path_factory.mktemp("clones"), free_port()
    shop = app(host, place, "shop", SHOP, port=port)
    blog = app(host, place, "blog", BLOG, BOTH, port=port)
    for names in ((SHOP, BOTH), (BLOG,)):
        give(host, ca, *names)
    return shop, blog, int(host.gear("tls", "settings", "--json").json()["port"])


def give(host: HostFolder, ca: Authority, *names: str) -> int:
    """Switch to a new certificate; its serial number."""
    pair = ca.give(*names)
    for name in names:
        host.gear("tls", "set", name, "--cert", pair.cert, "--key", pair.key)
    return pair.serial


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
