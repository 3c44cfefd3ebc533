"""The watcher of a host with Docker: what hangs is restarted, what is gone comes back."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from geartrain.engine.descent import state
from geartrain.engine.docker import access_log
from geartrain.engine.docker.host import DockerHost
from geartrain.engine.home import Home
from tests.cli.running import request, until
from tests.dockerd import docker
from tests.engine.docker.hosts import clean
from tests.server.pushing import Clone, HostFolder, clone_of, hooks
from tests.server.watching import Watcher, container, restarted, restarts, started, watched

pytestmark = [
    pytest.mark.docker,
    pytest.mark.waiting,
    pytest.mark.usefixtures("docker_daemon"),
    pytest.mark.timeout(600),
]

MEMORY = 26  # MB
BLOCKS = """        case "/block":
            __import__("time").sleep(3600)
        case "/slow":
"""
MORE = """
  worker:
    build: .
    command: sleep infinity
    init: true
  postgres: { image: "postgres:16" }
  redis: { image: "redis:7" }
"""


@pytest.fixture(scope="module")
def shop(docker_daemon: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """An app with two replicas, a worker and data services, live and not watched by the push."""
    place = tmp_path_factory.mktemp("watch")
    host = HostFolder(place / "host")
    host.gear("host", "init", "--engine", "docker")
    clone = clone_of(host, "shop", place)
    host.gear("app", "env", "shop", "REPLICAS=2")
    text = (clone.folder / "docker-compose.yml").read_text()
    clone.write("docker-compose.yml", text + MORE)
    app = (clone.folder / "app.py").read_text()
    clone.write("app.py", app.replace('        case "/slow":\n', BLOCKS))
    clone.commit("all kinds of services")
    try:
        clone.push()
        until(lambda: not hooks(clone), "nobody watches the release any more")
        yield clone
    finally:
        clean(DockerHost(host.folder))


@pytest.fixture(scope="module")
def watcher(shop: Clone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watcher]:
    with watched(shop.host, tmp_path_factory.mktemp("watcher")) as made:
        yield made


def stop(name: str) -> float:
    """Stop a container's first process as `kill -STOP` does; when that was."""
    docker("kill", "--signal=STOP", name)
    return time.monotonic()


def fine(shop: Clone) -> bool:
    return shop.gear("ps", code=None).code == 0


def test_it_stays_small_and_pings_after_looking(shop: Clone, watcher: Watcher) -> None:
    watcher.hears(b"WATCHDOG=1")
    until(lambda: fine(shop), "all of it runs")
    watcher.told()
    watcher.hears(b"WATCHDOG=1")
    assert watcher.resident() < MEMORY
    sys.stderr.write(f"\nthe watcher takes {watcher.resident():.1f} MB\n")


def test_an_access_log_that_is_large_begins_anew(shop: Clone, watcher: Watcher) -> None:
    log = DockerHost(shop.host.folder).edge / "logs" / "access.log"
    assert shop.body() == "hello 1\n"
    os.truncate(log, access_log.SIZE + 1)  # as long as after many requests; no disk has it
    until(lambda: log.with_name("access.log.1").exists(), "the old one is aside")
    until(lambda: shop.body() and log.exists() and log.stat().st_size, "requests are in a new one")
    assert not access_log.is_large(DockerHost(shop.host.folder))


def test_a_replica_that_hangs_is_restarted_and_the_other_goes_on(
    shop: Clone, watcher: Watcher
) -> None:
    before = len(restarts(shop))
    first, second = container(shop, "web.1.1"), container(shop, "web.1.2")
    untouched = started(second)
    answers: list[int] = []
    ends = threading.Event()

    def ask() -> None:
        while not ends.wait(0.1):
            answers.append(request("GET", "/", shop.port)[0])

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        began = stop(first)
        event = restarted(shop, "web.1.1", before)
        until(lambda: fine(shop), "it is ready again")
    finally:
        ends.set()
        asking.join()
    took = time.monotonic() - began
    sys.stderr.write(f"\nweb: {took:.1f} s from SIGSTOP to recovery\n")
    assert (event["service"], event["release"], event["via"]) == ("web", 1, "watcher")
    assert "SIGSTOP" in event["why"]
    assert started(second) == untouched
    assert 200 in answers
    assert took < 45
    told = f"web.1.1 was restarted at {event['at']}: {event['why']}"
    assert "web.1.1: its process" in shop.gear("releases").out
    assert told in shop.gear("status", code=None).out
    assert shop.gear("status", "--json", code=None).json()[0]["restarts"] == [told]
    (line,) = shop.gear("logs", "--events", "-n", "1").out.splitlines()
    assert line.endswith(f"web.1.1 was restarted: {event['why']}")
    assert [one["instance"] for one in restarts(shop)[: -before or None]] == ["web.1.1"]


def test_one_that_is_busy_for_ever_is_restarted_too(shop: Clone, watcher: Watcher) -> None:
    """It runs, takes connections and never answers; and does not end when it is told to."""
    before = len(restarts(shop))
    name = container(shop, "web.1.2")
    how = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
    address = docker("inspect", f"--format={how}", name).split()[0]
    with socket.create_connection((address, 8080), timeout=5) as link:
        link.sendall(b"GET /block HTTP/1.1\r\nHost: x\r\n\r\n")
        began = time.monotonic()
        event = restarted(shop, "web.1.2", before)
    until(lambda: fine(shop), "it is ready again")
    sys.stderr.write(f"\nblocked: {time.monotonic() - began:.1f} s to recovery\n")
    assert event["why"].startswith("no answer to GET / on port 8080 within 5 s, 3 times in ")


@pytest.mark.parametrize("name", ["postgres", "redis"])
def test_a_data_service_that_hangs_comes_back(shop: Clone, watcher: Watcher, name: str) -> None:
    before = len(restarts(shop))
    webs = [started(container(shop, f"web.1.{n}")) for n in (1, 2)]
    began = stop(container(shop, name))
    event = restarted(shop, name, before)
    until(lambda: fine(shop), "it is ready again")
    sys.stderr.write(f"\n{name}: {time.monotonic() - began:.1f} s from SIGSTOP to recovery\n")
    assert event["service"] == name
    assert webs == [started(container(shop, f"web.1.{n}")) for n in (1, 2)]


def test_a_worker_that_hangs_is_restarted(shop: Clone, watcher: Watcher) -> None:
    before = len(restarts(shop))
    stop(container(shop, "worker.1.1"))
    restarted(shop, "worker.1.1", before)
    until(lambda: fine(shop), "it runs again")


@pytest.mark.parametrize("how", ["STOP", "KILL", "gone"])
def test_the_edge_comes_back(shop: Clone, watcher: Watcher, how: str) -> None:
    before = len(restarts(shop))
    edge = f"geartrain-edge-{DockerHost(shop.host.folder).facts.id}"
    began = time.monotonic()
    if how == "gone":
        docker("rm", "--force", edge)
    else:
        docker("kill", f"--signal={how}", edge)
    restarted(shop, "edge", before)
    until(lambda: shop.get()[0] == 200, "it answers")
    sys.stderr.write(f"\nedge {how}: {time.monotonic() - began:.1f} s to recovery\n")


def test_what_was_removed_comes_back(shop: Clone, watcher: Watcher) -> None:
    before = len(restarts(shop))
    began = time.monotonic()
    docker("rm", "--force", container(shop, "web.1.2"))
    event = restarted(shop, "web.1.2", before)
    assert event["why"] == "its container was gone"
    until(lambda: fine(shop), "it is ready again")
    sys.stderr.write(f"\nremoved: {time.monotonic() - began:.1f} s to recovery\n")
    docker("stop", container(shop, "redis"))
    assert "exit code" in restarted(shop, "redis", before + 1)["why"]
    until(lambda: fine(shop), "it is ready again")


def test_nobody_is_at_it_while_somebody_else_is(shop: Clone, watcher: Watcher) -> None:
    """A replica that hangs while a push waits for its migration is restarted after the push."""
    before = len(restarts(shop))
    name = container(shop, "web.1.1")
    seen = started(name)
    with Home(shop.folder, shop.state).lock("a test"):
        stop(name)
        pid = int(docker("inspect", "--format={{.State.Pid}}", name))
        end = time.monotonic() + 25  # more than what it takes otherwise
        while time.monotonic() < end:
            assert started(name) == seen
            assert state(pid) == "T"
            watcher.hears(b"WATCHDOG=1")
    restarted(shop, "web.1.1", before)


def test_a_push_during_a_hang_is_live_and_nothing_old_is_restarted(
    shop: Clone, watcher: Watcher
) -> None:
    until(lambda: fine(shop), "all is well")
    before = len(restarts(shop))
    stop(container(shop, "web.1.1"))
    shop.version("2")
    shop.push()
    assert shop.body() == "hello 2\n"
    until(lambda: fine(shop), "all is well")
    assert [one["instance"] for one in restarts(shop)[: -before or None]] in ([], ["web.1.1"])


def test_a_second_one_says_who_is_there_and_killed_it_is_soon_back(
    shop: Clone, watcher: Watcher
) -> None:
    said = shop.gear("host", "watch", code=5).err
    assert f"a watcher is at work here already (pid {watcher.pid})" in said
    watcher.kill()
    watcher.start()
    watcher.hears(b"WATCHDOG=1")
    before = len(restarts(shop))
    docker("rm", "--force", container(shop, "worker.2.1"))
    restarted(shop, "worker.2.1", before)


def test_halted_it_lets_things_be(shop: Clone, watcher: Watcher) -> None:
    shop.gear("host", "stop")
    for _ in range(4):
        watcher.told()
        watcher.hears(b"WATCHDOG=1")
        assert not [
            name for name in docker("ps", "--format={{.Names}}").split()
            if DockerHost(shop.host.folder).facts.id in name
        ]  # fmt: skip
    shop.gear("converge", "--all")
    until(lambda: fine(shop), "all of it runs again")


def test_what_crashes_again_and_again_is_left_to_docker(
    shop: Clone, watcher: Watcher, tmp_path: Path
) -> None:
    other = clone_of(shop.host, "crashes", tmp_path)
    other.push()
    until(lambda: not hooks(other), "nobody watches the release any more")
    app = (other.folder / "app.py").read_text()
    stays = (started(container(shop, "web.2.1")), len(restarts(shop)))
    crashing = app.replace('print(f"hello', 'raise SystemExit(7)\n    print(f"hello')
    name = container(other, "web.1.1")
    write = f"import pathlib; pathlib.Path('app.py').write_text({crashing!r})"
    docker("exec", name, "python", "-c", write)
    docker("exec", name, "sh", "-c", "kill -9 1; true")
    request("GET", "/crash", other.port)
    until(lambda: int(docker("inspect", "--format={{.RestartCount}}", name)) >= 5, "it crashes")
    for _ in range(4):
        watcher.told()
        watcher.hears(b"WATCHDOG=1")
    assert restarts(other) == []
    assert (started(container(shop, "web.2.1")), len(restarts(shop))) == stays
    assert shop.body() == "hello 2\n"
    other.gear("destroy", "crashes", "--data", "--yes")


def test_it_ends_in_order(shop: Clone, watcher: Watcher) -> None:
    assert watcher.pid
    assert watcher.kill(signal.SIGTERM) == 0
    assert any(b"STOPPING=1" in one for one in watcher.told())
