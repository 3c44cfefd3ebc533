"""The watcher while Docker's daemon is killed, is away, and comes back."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from geartrain.engine.docker.host import DockerHost
from geartrain.engine.docker.images.ensure import ensure
from tests.cli.running import until
from tests.dockerd import docker
from tests.engine.docker.hosts import clean
from tests.second_daemon import Daemon, second_daemon
from tests.server.pushing import Clone, HostFolder, clone_of, hooks
from tests.server.watching import Watcher, container, restarted, restarts, watched

pytestmark = [
    pytest.mark.docker,
    pytest.mark.waiting,
    pytest.mark.usefixtures("docker_daemon"),
    pytest.mark.timeout(600),
]


@pytest.fixture
def shop(
    docker_daemon: None, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Daemon, Clone]]:
    """An app on a daemon of its own."""
    images = set(ensure(["nginx:latest", "python:3.12-slim"], lambda _: None).values())
    with second_daemon(tmp_path_factory.mktemp("daemon"), images) as daemon:
        host = HostFolder(tmp_path / "host")
        host.gear("host", "init", "--engine", "docker")
        made = clone_of(host, "shop", tmp_path)
        try:
            made.push()
            until(lambda: not hooks(made), "nobody watches the release any more")
            yield daemon, made
        finally:
            if not daemon.answers():
                daemon.start()
            clean(DockerHost(host.folder))


def test_it_waits_for_a_daemon_that_is_away(shop: tuple[Daemon, Clone], tmp_path: Path) -> None:
    daemon, app = shop
    with watched(app.host, tmp_path) as watcher:
        watcher.hears(b"WATCHDOG=1")
        pid = watcher.pid
        daemon.kill()
        until(lambda: "waiting for it" in watcher.log.read_text(), "it is seen")
        watcher.told()
        watcher.hears(b"WATCHDOG=1")  # nobody listens: that is known, and no reason to end it
        daemon.start()
        until(lambda: "answers again" in watcher.log.read_text(), "that too")
        assert watcher.pid == pid
        before = len(restarts(app))
        docker("rm", "--force", container(app, "web.1.1"))
        restarted(app, "web.1.1", before)
        until(lambda: app.body() == "hello 1\n", "it answers")


def test_a_daemon_that_hangs_gets_no_ping(shop: tuple[Daemon, Clone], tmp_path: Path) -> None:
    daemon, app = shop
    with watched(app.host, tmp_path) as watcher:
        watcher.hears(b"WATCHDOG=1")
        assert daemon.process
        daemon.process.send_signal(signal.SIGSTOP)
        try:
            heard = [one for one in until_silent(watcher) if b"WATCHDOG=1" in one]
            assert heard == []
        finally:
            daemon.process.send_signal(signal.SIGCONT)
        watcher.hears(b"WATCHDOG=1")


def until_silent(watcher: Watcher) -> list[bytes]:
    """What it tells in ten seconds, once what was under way has had three."""
    watcher.socket.settimeout(3)
    try:
        while watcher.socket.recv(4096):
            pass
    except TimeoutError:
        watcher.socket.settimeout(10)
    try:
        return [watcher.socket.recv(4096)]
    except TimeoutError:
        return []
    finally:
        watcher.socket.settimeout(60)
