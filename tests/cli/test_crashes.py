"""`kill -9` at any moment: the next `gear up` ends right, and nothing is left behind."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from geartrain.engine.descent import state
from tests.cli.conftest import Make
from tests.cli.running import (
    PATIENCE,
    Project,
    nothing_left,
    processes,
    requests_all_the_while,
    until,
)

pytestmark = pytest.mark.slow

DATA = """
  postgres: { image: "postgres:18" }
  redis: { image: "redis:8" }
"""
LIMIT = 30.0  # seconds, for what takes two on an idle machine


def moments(count: int, length: float) -> Iterator[float]:
    """Moments spread over a time, each somewhere in its part of it."""
    for number in range(count):
        yield (number + random.random()) / count * length


def strike(project: Project, after: float, *, group: bool) -> bool:
    """Start `gear up -d` and kill it after a time. False when it had ended by then."""
    running = project.start("up", "-d")
    with contextlib.suppress(Exception):
        running.wait(after)
    alive = running.poll() is None
    if alive and group:  # with Git, uv, initdb: whatever it waits for
        os.killpg(running.pid, signal.SIGKILL)
    elif alive:
        running.kill()
    running.communicate()
    return alive


def one_release_runs(project: Project, number: int) -> None:
    """Exactly the instances of one release, once the one before has drained."""

    def seen() -> bool:
        web = [i for i in project.instances() if i["service"] == "web"]
        return [(i["release"], i["state"]) for i in web] == [(number, "ready")]

    until(seen, f"release {number} alone runs: {project.instances()}")
    assert project.gear("plan").out == ""


def test_a_first_start_that_is_killed(make: Make) -> None:
    """With data services, which must not be left half made."""
    project = make("hello")
    project.edit("docker-compose.yml", "services:\n", "services:" + DATA)
    began = time.monotonic()
    project.up()
    length = time.monotonic() - began
    struck = number = 0
    while number < 6 or struck < 4:
        assert number < 18, f"only {struck} of {number} were killed before their end"
        project.down("--volumes", "--yes")
        nothing_left(project.folder)
        shutil.rmtree(project.folder / ".gear")
        moment = (number % 6 + random.random()) / 6 * length
        hit = strike(project, moment, group=number % 2 == 0)
        struck, number = struck + hit, number + 1
        if not hit:  # the first start took longer than those that follow
            length *= 0.7
        project.up(timeout=LIMIT)
        assert project.body() == "hello 1\n", f"killed after {moment:.3f} s"
        assert project.gear("db", "shell", "-Atc", "SELECT 1").out == "1\n"
        assert project.gear("redis", "shell", "ping").out
        one_release_runs(project, project.instances()[-1]["release"] or 1)


def test_a_release_that_is_killed(make: Make) -> None:
    """Requests are answered all the while, and the next `up` is on the new version."""
    project = make("hello")
    project.up()
    project.write("VERSION", "1b\n")
    began = time.monotonic()
    project.up()
    length = time.monotonic() - began
    struck = 0
    for number, moment in enumerate(moments(9, length), 2):
        project.write("VERSION", f"{number}\n")
        with requests_all_the_while(project) as answers:
            struck += strike(project, moment, group=number % 2 == 0)
            project.up(timeout=LIMIT)
        assert {status for status, _ in answers()} == {200}, f"killed after {moment:.3f} s"
        assert project.body() == f"hello {number}\n", f"killed after {moment:.3f} s"
    assert struck >= 6
    newest = max(i["release"] for i in project.instances() if i["service"] == "web")
    one_release_runs(project, newest)


@pytest.mark.parametrize("whom", ["supervisor", "guard", "both"])
def test_the_supervisor_is_killed_during_a_release(make: Make, whom: str) -> None:
    project = make("hello")
    project.up()
    for number, moment in enumerate(moments(3, 0.9), 2):
        project.write("VERSION", f"{number}\n")
        guard, supervisor = project.pids()
        running = project.start("up", "-d")
        with contextlib.suppress(Exception):
            running.wait(moment)
        for pid in {"supervisor": [supervisor], "guard": [guard], "both": [guard, supervisor]}[
            whom
        ]:
            os.kill(pid, signal.SIGKILL)
        _, err = running.communicate(timeout=LIMIT)
        assert "Traceback" not in err
        assert running.returncode in (0, 1), err
        said = project.up(timeout=LIMIT).err
        assert project.body() == f"hello {number}\n", f"killed after {moment:.3f} s: {said}"
        left = [w for w in processes(project.folder).values() if "supervisor.guard" in w]
        assert len(left) == 2, left  # the guard and the supervisor, which it became
    project.down()
    nothing_left(project.folder)


def test_everything_is_killed_at_once(make: Make) -> None:
    """All but nginx's workers, which nothing then tells to end: the next `up` does."""
    project = make("hello")
    project.edit("docker-compose.yml", "services:\n", "services:" + DATA)
    project.up()
    project.gear("db", "shell", "-c", "CREATE TABLE kept (id int); INSERT INTO kept VALUES (7)")
    parents = [pid for pid, words in processes(project.folder).items() if "worker" not in words]
    for pid in parents:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    until(lambda: not set(parents) & set(processes(project.folder)), "all have gone", PATIENCE)
    assert "nothing runs here" in project.gear("ps", code=1).err
    project.up(timeout=LIMIT)
    assert project.gear("db", "shell", "-Atc", "SELECT id FROM kept").out == "7\n"
    one_release_runs(project, 1)


def test_two_ups_at_the_same_instant(make: Make) -> None:
    project = make("hello")
    both = [project.start("up", "-d", "--json") for _ in range(2)]
    ended = [(one.communicate(timeout=LIMIT), one.returncode) for one in both]
    assert [code for _, code in ended] == [0, 0], ended
    assert sum('"changed": true' in out for (out, _), _ in ended) == 1
    one_release_runs(project, 1)
    project.write("VERSION", "2\n")
    both = [project.start("up", "-d", "--json") for _ in range(3)]
    ended = [(one.communicate(timeout=LIMIT), one.returncode) for one in both]
    assert [code for _, code in ended] == [0, 0, 0], ended
    assert sum('"changed": true' in out for (out, _), _ in ended) == 1
    assert project.body() == "hello 2\n"
    assert sorted((project.folder / ".gear" / "releases").iterdir())[-1].name == "2"


def test_a_second_up_waits_and_says_for_whom(make: Make) -> None:
    project = make("broken/slow_start", DELAY="1")
    first = project.start("up", "-d")
    until(lambda: (project.folder / ".gear" / "run" / "pids").exists(), "it is at work")
    second = project.up()
    assert f"waiting for `gear up` (pid {first.pid}, since " in second.err
    assert "nothing to do: release 1 is live" in second.out
    first.communicate(timeout=LIMIT)
    assert first.returncode == 0


def working_for(pid: int, program: str) -> list[int]:
    """Programs that a `gear` of this pid waits for."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            mine = f"GEAR_CALLER={pid}-".encode() in (entry / "environ").read_bytes()
            if mine and (entry / "comm").read_text().strip() == program:
                found.append(int(entry.name))
    return found


def test_what_a_killed_up_waited_for_is_ended_first(make: Make) -> None:
    """Git, initdb or uv would go on writing where the next `up` does."""
    project = make("hello")
    project.edit("docker-compose.yml", "services:\n", "services:" + DATA)
    running = project.start("up", "-d")
    initdb = until(lambda: working_for(running.pid, "initdb"), "initdb runs")
    for pid in initdb:
        os.kill(pid, signal.SIGSTOP)
    running.kill()
    running.communicate()
    project.up()
    assert project.get()[0] == 200
    assert not [pid for pid in initdb if state(pid) not in ("", "Z")]


def test_folders_that_a_killed_up_did_not_give_away_are_finished(make: Make) -> None:
    """As root they are made as root, and then given to the user that the data services run as."""
    project = make("hello")
    project.edit("docker-compose.yml", "services:\n", "services:" + DATA)
    project.up()
    project.down()
    for name in ("redis/conf", "postgres/conf", "postgres/socket"):
        folder = project.folder / ".gear" / "data" / name
        shutil.rmtree(folder)
        folder.mkdir(mode=0o700)
    project.up()
    assert project.get()[0] == 200


def test_up_after_a_killed_down_waits_until_all_has_stopped(make: Make) -> None:
    project = make("broken/ignores_sigterm", STOP_GRACE="2s")
    project.up()
    running = project.start("down")
    until(lambda: states(project) == ["stopping"], "it stops")
    running.kill()
    running.communicate()
    assert "waiting until what ran here has stopped" in project.up().err
    assert project.get()[0] == 200
    one_release_runs(project, 1)


def states(project: Project) -> list[str]:
    """Of the instances of its service `web`."""
    return [one["state"] for one in project.instances() if one["service"] == "web"]
