"""A host with Docker and two apps on https, for whoever asks, loads or scans it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from geartrain.engine.docker.host import DockerHost
from tests.engine.docker.hosts import clean
from tests.ports import free_port
from tests.server.pushing import Clone, HostFolder, clone_of, own_name
from tests.server.tls.pem import Authority

SHOP, BLOG, BOTH = "shop.gear.test", "blog.gear.test", "both.gear.test"


@pytest.fixture(scope="package")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="package")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostFolder]:
    made = HostFolder(tmp_path_factory.mktemp("switches") / "host")
    made.gear("host", "init", "--engine", "docker")
    made.gear("tls", "settings", "--port", str(free_port()))
    yield made
    for one in made.gear("app", "list", "--json").json():
        made.gear("destroy", one["app"], "--data", "--yes", code=None)
    clean(DockerHost(made.folder))


def app(host: HostFolder, place: Path, name: str, *domains: str, port: int) -> Clone:
    made = clone_of(host, own_name(name), place)
    host.gear("app", "env", made.app, f"EDGE_PORT={port}")
    made.port = port
    text = (made.folder / "docker-compose.yml").read_text()
    made.write("docker-compose.yml", f"x-gear: {{domains: [{', '.join(domains)}]}}\n{text}")
    made.version(name)
    made.push()
    return made


@pytest.fixture(scope="package")
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
