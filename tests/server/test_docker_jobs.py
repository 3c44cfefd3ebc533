"""Scheduled jobs on a host with Docker: who starts them, what they leave, when that ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from geartrain.engine.docker.host import DockerHost
from tests.cli.running import until
from tests.engine.docker.hosts import clean
from tests.server.pushing import GEAR, Clone, HostFolder, clone_of, own_name
from tests.server.watching import watched

pytestmark = [
    pytest.mark.docker,
    pytest.mark.waiting,
    pytest.mark.usefixtures("docker_daemon"),
    pytest.mark.timeout(600),
]

JOBS = """
  tick:
    build: .
    command: sh -c 'echo "tick of $$(cat VERSION)"'
    x-gear: {schedule: "* * * * *"}
  slow:
    build: .
    command: sh -c 'echo begins; sleep 2; echo has finished'
    stop_grace_period: 1s
    x-gear: {schedule: "0 0 1 1 *"}
  breaks:
    build: .
    command: sh -c 'echo no money left; exit 3'
    x-gear: {schedule: "0 0 1 1 *"}
"""
MEMORY = 40  # MB that waiting for the next job may take


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    place = tmp_path_factory.mktemp("jobs")
    host = HostFolder(place / "host")
    host.gear("host", "init", "--engine", "docker")
    clone = clone_of(host, own_name("jobs"), place)
    try:
        with (clone.folder / "docker-compose.yml").open("a") as file:
            file.write(JOBS)
        clone.version("one")
        clone.push()
        yield clone
    finally:
        host.gear("destroy", clone.app, "--data", "--yes", code=None)
        clean(DockerHost(host.folder))


def starters(shop: Clone) -> list[int]:
    """The processes that start the jobs of this app's host."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"geartrain.server.schedule" in words and os.fsencode(shop.host.folder) in words:
                found.append(int(entry.name))
    return found


def job(shop: Clone, name: str) -> dict[str, Any]:
    """What `gear ps` says of a job of the live release."""
    seen = shop.gear("ps", "--json", code=None).json()["instances"]
    mine = [one for one in seen if one["service"] == name and one["state"] != "stopping"]
    found: dict[str, Any] = max(mine, key=lambda one: one["release"])
    return found


def test_a_job_is_run_by_hand_and_says_how_it_went(shop: Clone) -> None:
    assert re.fullmatch(r"next run \d{4}-01-01 00:00 UTC", job(shop, "slow")["note"])
    said = shop.gear("job", "run", "slow")
    assert said.out.splitlines() == ["begins", "has finished"]
    assert "slow: ok after" in said.err
    assert job(shop, "slow")["note"].startswith("last run ok; next run ")

    failed = shop.gear("job", "run", "breaks", code=3)
    assert "breaks ended with exit code 3" in failed.err
    assert "no money left" in failed.err
    assert job(shop, "breaks")["note"].startswith("last run ended with exit code 3; next run ")
    assert "did you mean 'slow'" in shop.gear("job", "run", "slw", code=1).err


def test_a_job_never_runs_twice_at_once(shop: Clone) -> None:
    together = [
        subprocess.Popen(
            [*GEAR, "job", "run", "slow"], cwd=shop.folder, env=shop.host.environment(),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    ended = [one.communicate(timeout=60) for one in together]
    assert sorted(one.returncode for one in together) == [0, 5, 5], ended
    assert sum("slow runs already" in err for _, err in ended) == 2


def test_a_push_lets_a_running_job_finish(shop: Clone) -> None:
    done: list[str] = []
    run = threading.Thread(target=lambda: done.append(shop.gear("job", "run", "slow").out))
    run.start()
    try:
        until(lambda: job(shop, "slow")["state"] == "ready", "it runs")
        shop.version("two")
        shop.push()
    finally:
        run.join()
    assert "has finished" in done[0]


def test_its_time_comes_and_the_live_release_runs(shop: Clone) -> None:
    (pid,) = starters(shop)
    resident = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert resident
    assert int(resident[1]) / 1024 < MEMORY
    shop.version("three")
    shop.push()
    assert starters(shop) == [pid], "a push does not need another one"
    live = job(shop, "tick")["release"]
    before = job(shop, "tick")["since"]
    until(lambda: job(shop, "tick")["since"] > before, "its minute has come", 75)
    until(lambda: "last run" in job(shop, "tick")["note"], "it has ended")
    seen = job(shop, "tick")
    assert seen["release"] == live
    assert seen["note"].startswith("last run ok; next run ")
    assert seen["since"] % 60 < 15, "at the full minute, and what it takes to start a container"
    assert "tick of three" in shop.gear("logs", "--release", str(live), "tick").out


def test_the_watcher_takes_over_and_a_small_process_comes_after_it(
    shop: Clone, tmp_path: Path
) -> None:
    assert len(starters(shop)) == 1
    with watched(shop.host, tmp_path) as watcher:
        until(lambda: not starters(shop), "the watcher does its work")
        assert "next run " in job(shop, "tick")["note"]
        before = job(shop, "tick")["since"]
        until(lambda: job(shop, "tick")["since"] > before, "its minute has come", 75)
        until(lambda: "last run ok; next run " in job(shop, "tick")["note"], "it has ended")
        shop.version("watched")
        shop.push()
        assert not starters(shop), "a push wakes the watcher"
        assert watcher.resident() < MEMORY
    assert "nothing starts it: `gear converge`" in job(shop, "tick")["note"]
    shop.gear("converge")
    assert len(starters(shop)) == 1


def test_what_starts_jobs_goes_and_comes_with_the_app(shop: Clone) -> None:
    (pid,) = starters(shop)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not starters(shop), "it is gone")
    assert "nothing starts it: `gear converge`" in job(shop, "tick")["note"]
    shop.gear("converge")
    assert len(starters(shop)) == 1
    assert "next run" in job(shop, "tick")["note"]

    shop.gear("down")
    until(lambda: not starters(shop), "nothing of a stopped app is started")
    shop.gear("converge")
    assert len(starters(shop)) == 1

    compose = shop.folder / "docker-compose.yml"
    kept = compose.read_text()
    compose.write_text(kept.replace(JOBS, ""))
    shop.commit("no jobs")
    shop.push()
    until(lambda: not starters(shop), "nobody waits for nothing")
    compose.write_text(kept)
    shop.commit("jobs again")
    shop.push()
    assert len(starters(shop)) == 1

    shop.gear("destroy", shop.app, "--data", "--yes")
    assert not starters(shop)
    assert not shop.state.exists(), list(shop.state.rglob("*"))
