"""A machine that starts again: Docker comes before Geartrain, and memory is empty."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from geartrain.engine.docker.host import DockerHost
from geartrain.engine.docker.images.ensure import ensure
from tests.cli.running import until
from tests.dockerd import DOCKER, docker
from tests.engine.docker.hosts import clean
from tests.second_daemon import Daemon, second_daemon
from tests.server.pushing import HostFolder, clone_of, hooks
from tests.server.sealed.seeded import Seeded

pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("docker_daemon"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def machine(
    docker_daemon: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Daemon, Seeded]]:
    """A daemon of its own, and an app on it with two releases."""
    images = set(ensure(["nginx:latest", "python:3.12-slim"], lambda _: None).values())
    place = tmp_path_factory.mktemp("reboot")
    with second_daemon(tmp_path_factory.mktemp("daemon"), images) as daemon:
        host = HostFolder(place / "host")
        host.gear("host", "init", "--engine", "docker")
        try:
            shop = Seeded(clone_of(host, "books", place), place / "alice")
            shop.clone.push()
            shop.change("API_TOKEN")
            shop.version("2")
            shop.clone.push()
            until(lambda: not hooks(shop.clone), "nobody watches it any more")
            yield daemon, shop
        finally:
            if not daemon.answers():
                daemon.start()
            host.gear("destroy", "books", "--data", "--yes", code=None)
            clean(DockerHost(host.folder))


def reboot(daemon: Daemon, shop: Seeded) -> None:
    """Everything ends at once, memory is lost, and Docker starts what it had."""
    ids = docker("ps", "--quiet").split()
    words = [DOCKER, "inspect", "--format={{.State.Pid}}", *ids]
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # some may go now
    daemon.kill()
    for pid in filter(lambda pid: pid != "0", done.stdout.split()):  # 0: it waits for its restart
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    shutil.rmtree(shop.memory)
    daemon.start()


def test_the_same_release_is_back_with_its_secrets(machine: tuple[Daemon, Seeded]) -> None:
    daemon, shop = machine
    clone = shop.clone
    reboot(daemon, shop)
    began = time.monotonic()
    assert clone.gear("converge", "--all", "--json").json()[0]["live"] == 2
    assert clone.body() == "2"
    sys.stderr.write(f"\nconverge brought it back after {time.monotonic() - began:.2f} s\n")
    seen = {one["name"]: one["state"] for one in clone.gear("ps", "--json").json()["instances"]}
    assert seen == {
        "edge": "ready", "web.2.1": "ready", "worker.2.1": "ready", "report.2.1": "scheduled",
        "vault": "ready",
    }  # fmt: skip
    assert clone.gear("converge", "--all", "--json").json()[0]["steps"] == []
    clone.gear("job", "run", "report")
    clone.gear("rollback", "--yes")
    assert clone.body() == "1", "with the token that it had"
    reboot(daemon, shop)
    clone.gear("converge", "--all")
    assert clone.body() == "1"


def test_what_was_stopped_in_order_comes_back_too(machine: tuple[Daemon, Seeded]) -> None:
    daemon, shop = machine
    clone = shop.clone
    clone.gear("host", "stop")
    reboot(daemon, shop)
    assert clone.body() == ""
    clone.gear("converge", "--all")
    assert clone.body() == "1"
