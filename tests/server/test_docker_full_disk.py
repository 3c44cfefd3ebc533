"""Docker's own disk is full: before a build, nearly by one, and by a version that starts.

The daemon is a second one, whose data lie on a small file system.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from geartrain.engine.docker.host import DockerHost
from geartrain.engine.docker.images.ensure import ensure
from geartrain.engine.docker.space import LEAST, RESERVE
from tests.cli.running import requests_all_the_while, until
from tests.engine.docker.hosts import clean
from tests.second_daemon import second_daemon
from tests.server.disks import fill, mounted
from tests.server.pushing import Clone, HostFolder, clone_of

pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("docker_daemon"),
    pytest.mark.timeout(600),
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system"),
]
SIZE = 2400  # megabytes
GROWS = """\
with open("/var/tmp/much", "wb") as much:
    while True:
        much.write(bytes(2**20))
"""


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("docker") / "disk"
    with mounted(folder, f"{SIZE}m"):
        yield folder


@pytest.fixture(scope="module")
def shop(
    docker_daemon: None, disk: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Clone]:
    """An app that is live, on a host whose own folder lies elsewhere."""
    images = set(ensure(["nginx:latest", "python:3.12-slim"], lambda _: None).values())
    place = tmp_path_factory.mktemp("host")
    with second_daemon(disk, images) as daemon:
        host = HostFolder(place / "host")
        host.gear("host", "init", "--engine", "docker")
        made = clone_of(host, "shop", place)
        try:
            made.push()
            yield made
        finally:
            if not daemon.answers():
                daemon.start()
            clean(DockerHost(host.folder))


def refused(shop: Clone) -> str:
    """Push what must be refused, with the live version answering all the while."""
    before = shop.remote(), shop.body()
    with requests_all_the_while(shop) as answers:  # type: ignore[arg-type]  # it asks alike
        said = shop.refused()
    assert set(answers()) == {(200, before[1])}
    assert shop.remote() == before[0]
    return said


def test_a_build_does_not_begin_without_room(shop: Clone, disk: Path) -> None:
    filler = fill(disk, LEAST // 2)
    shop.version("2")
    said = refused(shop)
    filler.unlink()
    assert "too little room to build web: 5" in said
    free, total = re.findall(r"(\d+) MB of ([\d.]+) GB are free", said)[0]
    assert int(free) <= LEAST // 2 // 10**6 + 1
    assert float(total) == pytest.approx(SIZE * 2**20 / 1e9, abs=0.1)
    assert "gear images prune" in said
    shop.push()
    assert shop.body() == "hello 2\n"


def test_a_build_that_would_fill_it_is_ended(shop: Clone, disk: Path) -> None:
    fits = (shop.folder / "Dockerfile").read_text()
    free = room(disk)
    slow = "for n in $(seq 4000); do dd if=/dev/zero bs=1M count=1 >>/much; done"
    shop.write("Dockerfile", f"{fits}RUN {slow}\n")
    shop.commit("much")
    said = refused(shop)
    assert "the build of web was ended before it filled the disk: it took 1." in said
    left = int(re.findall(r"and (\d+) MB of 2\.\d GB were left", said)[0])
    assert RESERVE / 2 < left * 10**6 <= RESERVE
    until(lambda: room(disk) > free - 50 * 2**20, "what was half built is gone")
    shop.write("Dockerfile", fits)
    shop.version("3")
    shop.push()
    assert shop.body() == "hello 3\n"


def test_a_version_that_fills_it_as_it_starts_is_taken_away(shop: Clone, disk: Path) -> None:
    fits = (shop.folder / "app.py").read_text()
    free = room(disk)
    shop.write("app.py", GROWS)
    shop.commit("grows")
    said = refused(shop)
    assert "no space left on device" in said.lower()
    assert "the disk is full: make room" in said
    until(lambda: room(disk) > free - 50 * 2**20, "what it wrote is gone")
    shop.write("app.py", fits)
    shop.version("4")
    shop.push()
    assert shop.body() == "hello 4\n"


def room(folder: Path) -> int:
    """Bytes that are free."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
