"""An own certificate on a host with Docker: https, switched without loss, nobody else's."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator

import pytest

from geartrain.engine.docker.host import DockerHost
from tests.engine.docker.hosts import clean
from tests.ports import free_port
from tests.server.pushing import Clone, HostFolder, clone_of, own_name
from tests.server.tls.asking import http_, https, load, serial
from tests.server.tls.pem import DAY, Authority

pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("docker_daemon"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """An app with two domains, of which one insists on https once it has a certificate."""
    place = tmp_path_factory.mktemp("docker-tls")
    host = HostFolder(place / "host")
    host.gear("host", "init", "--engine", "docker")
    host.gear("tls", "settings", "--port", str(free_port()))
    clone = clone_of(host, own_name("tls"), place)
    text = (clone.folder / "docker-compose.yml").read_text()
    head = "x-gear: {domains: [shop.gear.test, www.gear.test], hsts: 180d}\n"
    clone.write("docker-compose.yml", head + text)
    clone.commit("domains")
    clone.push()
    yield clone
    host.gear("destroy", clone.app, "--data", "--yes", code=None)
    clean(DockerHost(host.folder))


def port(store: Clone) -> int:
    found: int = store.host.gear("tls", "settings", "--json").json()["port"]
    return found


def test_the_life_of_a_certificate(store: Clone, ca: Authority) -> None:
    secure = port(store)
    assert http_(store.port, "shop.gear.test")[:2] == (200, "hello 1\n")
    with pytest.raises(ConnectionRefusedError):
        https(secure, "shop.gear.test", ca.file)

    first = ca.give("shop.gear.test", until=10 * DAY)
    done = store.host.gear("tls", "set", "shop.gear.test", "--cert", first.cert, "--key", first.key)
    assert f"{store.app} answers with it" in done.out
    status, body, headers = https(secure, "shop.gear.test", ca.file)
    assert (status, body) == (200, "hello 1\n")
    assert headers["Strict-Transport-Security"] == "max-age=15552000"
    status, _, headers = http_(store.port, "shop.gear.test", "/a%2Fb?c=1")
    assert (status, headers["Location"]) == (308, f"https://shop.gear.test:{secure}/a%2Fb?c=1")
    assert "Strict-Transport-Security" not in headers
    # An authority's questions are answered on http all the same, and nothing beside them.
    asked = store.host.folder / "edge" / "tls" / "public" / ".well-known" / "acme-challenge"
    asked.mkdir(parents=True, exist_ok=True)
    (asked / "token").write_text("token.print")
    where = "/.well-known/acme-challenge"
    assert http_(store.port, "shop.gear.test", f"{where}/token")[:2] == (200, "token.print")
    assert http_(store.port, "shop.gear.test", f"{where}/none")[0] == 404
    assert http_(store.port, "shop.gear.test", f"{where}/../../../settings.json")[0] == 400
    assert http_(store.port, "shop.gear.test", f"{where}/../../settings.json")[0] == 308
    assert http_(store.port, "other.test")[0] == 421
    # The other domain has none: it stays where it was, and is shown nobody else's.
    status, body, headers = http_(store.port, "www.gear.test")
    assert (status, body) == (200, "hello 1\n")
    assert "Strict-Transport-Security" not in headers
    for stranger in ("www.gear.test", "other.test"):
        with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
            https(secure, stranger, ca.file)
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
        serial(secure, "")  # by address, without a name

    listed = store.host.gear("tls", "list", code=1)  # it ends in ten days
    assert "the certificate of shop.gear.test ends in 10 days" in listed.out
    assert "on http alone" in listed.out
    warned = store.gear("ps")
    assert "the certificate of shop.gear.test ends in 10 days" in warned.err

    second = ca.give("shop.gear.test", "www.gear.test")
    with load(secure, "shop.gear.test", ca.file) as seen:
        for domain in ("shop.gear.test", "www.gear.test"):
            store.host.gear("tls", "set", domain, "--cert", second.cert, "--key", second.key)
    assert seen.lost == []
    assert seen.answered > 250
    assert seen.connections > 4, "no connection met the new certificate"
    for domain in ("shop.gear.test", "www.gear.test"):
        assert serial(secure, domain) == second.serial
        assert https(secure, domain, ca.file)[1] == "hello 1\n"
    assert store.host.gear("tls", "list").code == 0
    assert "certificate" not in store.gear("ps").err
    assert store.gear("converge", "--json").json()[0]["steps"] == []

    store.version("2")
    assert f"live at https://shop.gear.test:{secure} and https://www" in store.push().err
    assert https(secure, "shop.gear.test", ca.file)[1] == "hello 2\n"

    store.host.gear("tls", "remove", "shop.gear.test")
    assert http_(store.port, "shop.gear.test")[:2] == (200, "hello 2\n")
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
        https(secure, "shop.gear.test", ca.file)


def test_a_port_that_another_program_has(store: Clone, ca: Authority) -> None:
    pair = ca.give("www.gear.test")
    words = ("tls", "set", "www.gear.test", "--cert", pair.cert, "--key", pair.key)
    secure = port(store)
    store.host.gear("tls", "remove", "www.gear.test")
    with socket.create_server(("0.0.0.0", secure)):
        said = store.host.gear(*words, code=1).err
        assert f"port {secure} is held by python" in said
        assert f"(pid {os.getpid()}, user root)" in said
        assert "stop that program; nginx is to answer there" in said
        # It is as before, and nothing waits for a certificate that was not taken.
        assert http_(store.port, "www.gear.test")[:2] == (200, "hello 2\n")
        assert store.gear("converge", "--json").json()[0]["steps"] == []
        rows = {one["domain"]: one for one in store.host.gear("tls", "list", "--json").json()}
        assert rows["www.gear.test"]["certificate"] is None
    store.host.gear(*words)
    assert https(secure, "www.gear.test", ca.file)[1] == "hello 2\n"


def test_the_port_of_http_that_another_program_has(store: Clone) -> None:
    store.gear("down")
    with socket.create_server(("0.0.0.0", store.port)):
        store.version("3")
        said = store.refused()
        assert f"port {store.port} is held by python" in said
        assert f"(pid {os.getpid()}, user root)" in said
    store.version("4")
    store.push()
    assert http_(store.port, "www.gear.test")[0] == 308


def test_keys_are_for_their_owner_alone(store: Clone) -> None:
    found = list((store.host.folder / "edge" / "tls").rglob("key.pem"))
    assert found
    assert {path.stat().st_mode & 0o777 for path in found} == {0o600}
