"""An app with data on a host with Docker: its check, its shells and logs, and nothing left."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator

import pytest

from geartrain.engine.docker.host import DockerHost
from geartrain.render import containers
from tests.cli.running import until
from tests.dockerd import docker
from tests.engine.docker.hosts import clean
from tests.server.pushing import GEAR, Clone, HostFolder, clone_of

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(600),
    pytest.mark.usefixtures("docker_daemon"),
]

DATA = """
  postgres: { image: "postgres:16" }
  redis: { image: "redis:7" }
"""
CHECK = '      check: python -c \'import os; assert os.environ["PGHOST"]; print("checked")\'\n'


@pytest.fixture(scope="module")
def shop(docker_daemon: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """An app with data services, live."""
    place = tmp_path_factory.mktemp("docker")
    host = HostFolder(place / "host")
    host.gear("host", "init", "--engine", "docker")
    clone = clone_of(host, "shop", place)
    text = (clone.folder / "docker-compose.yml").read_text()
    clone.write("docker-compose.yml", text + CHECK + DATA)
    clone.commit("data, and a check of its own")
    try:
        said = clone.push().err
        assert "✓ check web on throwaway data services" in said
        assert f"live at http://localhost:{clone.port} after" in said
        yield clone
    finally:
        clean(DockerHost(host.folder))


def left(shop: Clone, kind: str, *more: str) -> list[str]:
    """What of a kind carries the host's label."""
    host = DockerHost(shop.host.folder).facts.id
    return docker(kind, "ls", "--quiet", f"--filter=label={containers.HOST}={host}", *more).split()


def test_what_runs_is_shown(shop: Clone) -> None:
    assert shop.body() == "hello 1\n"
    seen = {one["name"]: one["state"] for one in shop.gear("ps", "--json").json()["instances"]}
    assert seen == {"edge": "ready", "web.1.1": "ready", "postgres": "ready", "redis": "ready"}
    assert "web.1.1" in shop.gear("ps").out


def test_a_check_leaves_no_data(shop: Clone) -> None:
    assert [name.rpartition("_")[2] for name in left(shop, "volume")] == ["postgres"]
    names = docker("volume", "ls", "--format={{.Name}}").split()
    assert not [
        n for n in names if n.startswith("shop-check-" + DockerHost(shop.host.folder).facts.id)
    ]


def test_commands_within(shop: Clone) -> None:
    assert shop.gear("exec", "web", "sh", "-c", 'echo "$GEAR_SERVICE"').out == "web\n"
    assert shop.gear("run", "web", "--", "python", "-c", "print(6 * 7)").out == "42\n"
    assert shop.gear("exec", "web", "sh", "-c", "exit 7", code=7).code == 7
    assert "did you mean 'web'" in shop.gear("exec", "wep", "true", code=1).err


def test_shells_of_the_data_services(shop: Clone) -> None:
    assert shop.gear("db", "shell", "-Atc", "SELECT current_user").out == "shop_owner\n"
    assert shop.gear("db", "shell", "--as", "read", "-Atc", "SELECT 1").out == "1\n"
    assert shop.gear("redis", "shell", "set", "greeting", "hello world").out == "OK\n"
    assert shop.gear("redis", "shell", "get", "greeting").out == "hello world\n"


def test_logs_of_what_runs_and_of_what_did(shop: Clone) -> None:
    assert "hello 1 listens" in shop.gear("logs", "web").out
    assert "hello" not in shop.gear("logs", "postgres").out
    assert "known: edge, postgres, redis, web" in shop.gear("logs", "nobody", code=1).err
    shop.version("two")
    shop.push()
    until(lambda: "hello 1 stopped" in shop.gear("logs", "--release", "1").out, "it has drained")
    assert "hello 1" not in shop.gear("logs", "--release", "2").out


def test_logs_are_followed_into_the_next_release(shop: Clone) -> None:
    seen: list[str] = []
    following = subprocess.Popen(
        [*GEAR, "logs", "--follow", "web"], stdout=subprocess.PIPE, text=True,
        cwd=shop.folder, env=shop.host.environment(),
    )  # fmt: skip
    reading = threading.Thread(target=lambda: seen.extend(following.stdout or ()))
    reading.start()
    try:
        until(lambda: any("listens" in line for line in seen), "it shows what is there")
        shop.version("three")
        shop.push()
        until(lambda: any("hello three listens" in line for line in seen), "it goes on")
        assert len([line for line in seen if "hello three listens" in line]) == 1
    finally:
        following.terminate()
        following.wait(10)
        reading.join()


def test_nothing_is_left_of_what_is_destroyed(shop: Clone) -> None:
    done = shop.gear("destroy", "shop", "--data", "--yes")
    assert done.out == "destroyed shop\n"
    assert left(shop, "volume") == []
    assert left(shop, "image") == []
    assert left(shop, "container", "--all") == [], "a host without apps runs nothing, no edge"
    assert left(shop, "network") == []
    assert not shop.state.exists(), list(shop.state.rglob("*"))
