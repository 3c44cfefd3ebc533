"""A daemon of its own that is killed and comes back: the right app at the right address."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from geartrain.engine.docker import networks
from geartrain.engine.docker.images.ensure import ensure
from geartrain.engine.protocol import State
from tests.dockerd import docker
from tests.engine.docker.conftest import Place
from tests.engine.docker.hosts import clean
from tests.engine.docker.test_failures import get
from tests.second_daemon import Daemon, second_daemon

pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("docker_daemon"),
    pytest.mark.timeout(600),
]
COMPOSE = """\
x-gear: {{ domains: [{name}.test] }}
services:
  nginx: {{ image: "nginx:latest", ports: ["80:80"] }}
  web: {{ build: ., command: "python program.py good 8080", x-gear: {{ port: 8080 }},
          deploy: {{ replicas: 2 }} }}
"""


@pytest.fixture(scope="module")
def place(docker_daemon: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[
    tuple[Place, Daemon]
]:  # fmt: skip
    folder = tmp_path_factory.mktemp("daemon")
    images = set(ensure(["nginx:latest", "python:3.12-slim"], lambda _: None).values())
    with second_daemon(folder, images) as daemon:
        made = Place(tmp_path_factory.mktemp("host"))
        try:
            yield made, daemon
        finally:
            clean(made.host)


def test_the_right_app_is_back_without_anybodys_help(place: tuple[Place, Daemon]) -> None:
    made, daemon = place
    shops = [made.app(name, COMPOSE.format(name=name)) for name in ("one", "two", "three")]
    for shop in shops:
        shop.release()
        shop.release()
        assert shop.engine().drained(30.0)
    addresses = [[i.address for i in shop.engine().observe().instances] for shop in shops]

    daemon.kill()
    # The containers of a killed daemon go on; it ends them when it comes back.
    for shop in shops:
        assert get(made, name=f"{shop.home.name}.test").split()[0] == shop.home.name
    daemon.start()
    wrong, end = set[str](), time.monotonic() + 60
    waiting = {shop.home.name for shop in shops}
    while waiting and time.monotonic() < end:
        for name in sorted(waiting):
            try:
                said = get(made, name=f"{name}.test").split()
            except OSError:
                continue
            if said[:2] == [name, "2"]:
                waiting.discard(name)
            else:
                wrong.add(f"{name}.test: {' '.join(said)}")
    assert not wrong
    assert not waiting
    for shop, before in zip(shops, addresses, strict=True):
        seen = shop.engine().observe()
        while any(i.state is not State.READY for i in seen.instances):
            assert time.monotonic() < end, seen
            time.sleep(0.05)
            seen = shop.engine().observe()
        assert [i.address for i in seen.instances] == before
        assert shop.steps(2) == ()


def test_instances_at_other_addresses_are_found_again(place: tuple[Place, Daemon]) -> None:
    """Somebody took an instance off its network and put it back."""
    made, _ = place
    shop = made.app("moved", COMPOSE.format(name="moved"))
    shop.release()
    for index in (1, 2):
        name = f"{shop.home.base}--r1-web-{index}"
        network = f"{shop.home.base}--r1"
        docker("network", "disconnect", network, name)
        docker("network", "connect", network, name)
    assert shop.engine().observe().routed is None
    release = shop.known(1)
    assert release
    shop.release(release)
    assert get(made, name="moved.test").split()[:2] == ["moved", "1"]
    assert shop.steps(1) == ()


def test_what_was_ended_by_hand_is_started_again(place: tuple[Place, Daemon]) -> None:
    made, _ = place
    shop = made.app("ended", COMPOSE.format(name="ended"))
    release = shop.release()
    base = shop.home.base
    docker("stop", "--time=1", f"{base}--r1-web-1")
    docker("rm", "--force", f"{base}--r1-web-2")
    assert shop.steps(1)
    shop.release(release)
    assert shop.steps(1) == ()
    docker("rm", "--force", f"geartrain-edge-{made.host.facts.id}")
    shop.release(release)
    assert get(made, name="ended.test").split()[:2] == ["ended", "1"]
    assert shop.steps(1) == ()
    assert networks.of_app(shop.home) == (f"{base}--r1",)
