"""A daemon of its own that is killed and comes back: the right app at the right address."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from geartrain.engine.descent import descendants, send
from geartrain.engine.docker import networks
from geartrain.engine.docker.images.ensure import ensure
from geartrain.engine.protocol import State
from tests.dockerd import docker
from tests.engine.docker.conftest import Place
from tests.engine.docker.hosts import clean
from tests.engine.docker.test_failures import get

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


class Daemon:
    """A second Docker daemon, with images of the first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "docker.sock"
        self.process: subprocess.Popen[bytes] | None = None
        self.bridge = f"gear{os.getpid()}"
        for words in (
            ("link", "add", "name", self.bridge, "type", "bridge"),
            ("address", "add", "198.51.100.1/28", "dev", self.bridge),
        ):
            subprocess.run(["ip", *words], check=True)
        # One of its own, which outlives it: as the packages set it up on a server.
        self.below = folder / "containerd.sock"
        with (folder / "containerd.log").open("ab") as log:
            self.containerd = subprocess.Popen(
                ["containerd", f"--root={folder / 'c-root'}", f"--state={folder / 'c-state'}",
                 f"--address={self.below}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def start(self) -> None:
        end = time.monotonic() + 60
        while not self.below.exists():
            assert time.monotonic() < end, (self.folder / "containerd.log").read_text()[-3000:]
            time.sleep(0.05)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    "dockerd", f"--data-root={self.folder / 'data'}",
                    f"--exec-root={self.folder / 'exec'}", f"--pidfile={self.folder / 'pid'}",
                    f"--host=unix://{self.socket}", f"--containerd={self.below}",
                    # Its neighbour's rules and bridge are left alone: without a bridge of its
                    # own, also with `none`, it would take or delete docker0.
                    f"--bridge={self.bridge}", "--iptables=false", "--ip6tables=false",
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        while not self.answers():
            assert self.process.poll() is None, (self.folder / "log").read_text()[-3000:]
            assert time.monotonic() < end
            time.sleep(0.05)

    def answers(self) -> bool:
        words = ["docker", "--host", f"unix://{self.socket}", "version"]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0

    def stop(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
        self.process = None

    def kill(self) -> None:
        """`kill -9` of the daemon; what it runs goes on."""
        assert self.process
        self.process.kill()
        self.process.wait(60)
        self.process = None

    def end_what_is_left(self) -> None:
        """Containerd, and containers of a daemon that did not come back."""
        subprocess.run(["ip", "link", "delete", self.bridge], check=False)
        self.containerd.terminate()
        self.containerd.wait(60)
        mark = os.fsencode(self.folder)
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and mark in (entry / "cmdline").read_bytes():
                    send([int(entry.name), *descendants(int(entry.name))], signal.SIGKILL)


@contextmanager
def second_daemon(folder: Path, images: set[str]) -> Iterator[Daemon]:
    made = Daemon(folder)
    made.start()
    before = os.environ.get("DOCKER_HOST")
    try:
        for image in images:
            saved = subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE)
            words = ["docker", "--host", f"unix://{made.socket}", "load"]
            subprocess.run(words, stdin=saved.stdout, check=True, capture_output=True)
            assert saved.wait() == 0
        os.environ["DOCKER_HOST"] = f"unix://{made.socket}"
        yield made
    finally:
        if before is None:
            os.environ.pop("DOCKER_HOST", None)
        else:
            os.environ["DOCKER_HOST"] = before
        made.stop()
        made.end_what_is_left()


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
