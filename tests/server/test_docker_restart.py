"""The Docker daemon is killed and starts again: `gear converge`, and all is where it belongs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import pytest

from geartrain.engine.docker.host import DockerHost
from geartrain.engine.docker.images.ensure import ensure
from tests.cli.running import until
from tests.dockerd import docker
from tests.engine.docker.hosts import clean
from tests.second_daemon import Daemon, second_daemon
from tests.server.pushing import Clone, HostFolder, clone_of, hooks

pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("docker_daemon"),
    pytest.mark.timeout(600),
]
NAMES = ("books", "coats")
ADDRESS = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"


@pytest.fixture(scope="module")
def shops(
    docker_daemon: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Daemon, list[Clone]]]:
    """Two apps of one host on a daemon of their own, each with a second release live."""
    images = set(ensure(["nginx:latest", "python:3.12-slim"], lambda _: None).values())
    place = tmp_path_factory.mktemp("restart")
    with second_daemon(tmp_path_factory.mktemp("daemon"), images) as daemon:
        host = HostFolder(place / "host")
        host.gear("host", "init", "--engine", "docker")
        made = [clone_of(host, name, place) for name in NAMES]
        try:
            for shop in made:
                app = (shop.folder / "app.py").read_text()
                shop.write("app.py", app.replace('f"hello {', f'f"{shop.app} {{'))
                shop.commit("its own words")
                shop.push()
                shop.version("2")
                shop.push()
            for shop in made:
                until(lambda: not hooks(shop), "nobody watches it any more")  # noqa: B023
            yield daemon, made
        finally:
            if not daemon.answers():
                daemon.start()
            clean(DockerHost(host.folder))


def converges(made: list[Clone], what: str) -> list[str]:
    """Converge all, see each app at its own address and nowhere else; the steps that it took."""
    began = time.monotonic()
    rows = made[0].gear("converge", "--all", "--json").json()
    took = time.monotonic() - began
    assert [(row["app"], row["live"]) for row in rows] == [(name, 2) for name in NAMES]
    for shop in made:
        assert shop.body() == f"{shop.app} 2\n"
        seen = shop.gear("ps", "--json").json()["instances"]
        assert {one["name"]: one["state"] for one in seen} == {"edge": "ready", "web.2.1": "ready"}
    assert [row["steps"] for row in made[0].gear("converge", "--all", "--json").json()] == [[], []]
    sys.stderr.write(f"\n{what}: gear converge --all took {took:.2f} s\n")
    return [step for row in rows for step in row["steps"]]


def containers(made: list[Clone], *more: str) -> list[str]:
    """The names of the apps' containers: all that this daemon has but the edge."""
    names = docker("ps", "--all", "--format={{.Names}}", *more).split()
    return sorted(name for name in names if name.startswith(NAMES))


def test_without_a_daemon_nothing_is_done_and_that_is_said(
    shops: tuple[Daemon, list[Clone]],
) -> None:
    daemon, made = shops
    shop = made[0]
    before = shop.remote()
    daemon.kill()
    shop.version("3")
    said = shop.refused()
    assert "no Docker daemon answers" in said
    assert "no Docker daemon answers" in shop.gear("converge", code=4).err
    assert shop.body() == "books 2\n", "what runs goes on"
    assert shop.remote() == before
    daemon.start()
    shop.git("reset", "--quiet", "--hard", before)
    converges(made, "killed and started")


def test_the_daemon_comes_back_at_once(shops: tuple[Daemon, list[Clone]]) -> None:
    daemon, made = shops
    daemon.kill()
    began = time.monotonic()
    daemon.start()
    sys.stderr.write(f"\nthe daemon was back after {time.monotonic() - began:.2f} s\n")
    converges(made, "killed and started")


def test_its_containers_are_gone(shops: tuple[Daemon, list[Clone]]) -> None:
    daemon, made = shops
    daemon.kill()
    daemon.start()
    docker("rm", "--force", *docker("ps", "--all", "--quiet").split())
    assert [shop.get()[0] for shop in made] == [0, 0]
    steps = converges(made, "every container gone")
    assert steps.count("start web.2.1") == 2
    assert containers(made) == [f"{shop.app}-{_id(shop)}--r2-web-1" for shop in made]


def test_the_neighbours_app_answers_at_its_address(shops: tuple[Daemon, list[Clone]]) -> None:
    """What a daemon that chooses addresses anew may do."""
    daemon, made = shops
    daemon.kill()
    daemon.start()
    strangers = []
    try:
        for shop, other in zip(made, reversed(made), strict=True):
            network = f"{shop.app}-{_id(shop)}--r2"
            name = f"{network}-web-1"
            address = docker("inspect", name, f"--format={ADDRESS}")
            image = docker("inspect", f"{other.app}-{_id(other)}--r2-web-1", "--format={{.Image}}")
            docker("network", "disconnect", network, name)
            run = ("run", "--detach", f"--network={network}", f"--ip={address}")
            strangers.append(docker(*run, image, "python", "app.py"))
            docker("network", "connect", network, name)
            assert docker("inspect", name, f"--format={ADDRESS}") != address
        for shop, other in zip(made, reversed(made), strict=True):
            until(lambda: shop.body() == f"{other.app} 2\n", "it is the wrong one")  # noqa: B023
        steps = converges(made, "the neighbour's app at its address")
        assert steps.count("switch nginx to release 2") == 2
    finally:
        docker("rm", "--force", *strangers)


def _id(shop: Clone) -> str:
    return DockerHost(shop.host.folder).facts.id
