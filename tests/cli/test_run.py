"""`gear run`: a command in an instance of its own."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Make
from tests.cli.running import Project, Terminal, nothing_left, processes, until


@pytest.fixture(scope="module")
def app(share: Make) -> Project:
    """Web, worker, one-shot, scheduled job."""
    project = share("worker")
    project.up()
    return project


def addresses(project: Project) -> set[str]:
    return {str(one["address"]).partition(":")[0] for one in project.instances()}


def test_it_is_beside_what_runs(app: Project) -> None:
    before = app.instances()
    said = app.gear("run", "web", "sh", "-c", "echo $GEAR_ADDRESS $GEAR_SERVICE $GEAR_RELEASE")
    address, service, release = said.out.split()
    assert address not in addresses(app)
    assert (service, release) == ("web", "1")
    pids = {one["name"]: one["pid"] for one in before if one["role"] != "job"}
    assert pids == {o["name"]: o["pid"] for o in app.instances() if o["role"] != "job"}


@pytest.mark.parametrize("service", ["once", "job"])
def test_the_service_itself_need_not_run(app: Project, service: str) -> None:
    said = app.gear("run", service, "sh", "-c", "echo $GEAR_SERVICE in; ls")
    assert said.out.startswith(f"{service} in\n")
    assert "app.py" in said.out


def test_what_it_says_is_in_no_log(app: Project) -> None:
    assert app.gear("run", "web", "echo", "only for me").out == "only for me\n"
    assert "only for me" not in app.gear("logs").out


def test_further_variables(app: Project) -> None:
    words = ("run", "--rm", "-T", "-e", "ONE=1=1", "--env", "TWO", "web", "sh", "-c")
    said = app.gear(*words, 'echo "$ONE $TWO $WORK_DIR"', env={"TWO": "2 too"})
    assert said.out.startswith("1=1 2 too /")
    assert "names no variable" in app.gear("run", "-e", "=1", "web", "true", code=3).err


def test_a_terminal_is_passed_on(app: Project) -> None:
    code = "import sys; input('name? '); print('a terminal:', sys.stdin.isatty())"
    shown = Terminal(app, "run", "web", "python", "-c", code)
    try:
        shown.sees("name? ")
        shown.types("x\n")
        shown.sees("a terminal: True")
        assert shown.ends() == 0
    finally:
        shown.close()


def test_nothing_of_it_is_left_when_it_is_killed(app: Project) -> None:
    mark = "import time; time.sleep(98.7654)"
    running = app.start("run", "worker", "python", "-c", mark)
    until(lambda: mark in str(processes(app.folder)), "it runs")
    running.kill()
    running.wait(10)
    until(lambda: mark not in str(processes(app.folder)), "it is gone")


@pytest.fixture(scope="module")
def down(share: Make) -> Project:
    """nginx, a backend, PostgreSQL, Redis: the app was up."""
    project = share("eleven", "down")
    project.up("--port", str(project.port))
    assert json.loads(project.body("/"))["rows"] == 0
    project.down()
    return project


ADD = """
import os, psycopg, redis
redis.Redis.from_url(os.environ["REDIS_URL"]).ping()
with psycopg.connect(os.environ["DATABASE_URL"]) as link:
    link.execute("INSERT INTO entries (text) VALUES ('one more')")
    print(link.execute("SELECT count(*) FROM entries").fetchone()[0])
"""


def test_what_it_stands_on_runs_for_as_long_as_it_does(down: Project) -> None:
    said = down.gear("run", "backend", "python", "-c", ADD)
    assert said.out == "1\n"
    assert "start postgres" in said.err
    assert "start backend" not in said.err, "the service itself need not run, nor nginx"
    nothing_left(down.folder)
    assert down.gear("run", "backend", "python", "-c", ADD).out == "2\n", "data stays"
    nothing_left(down.folder)
    down.up()
    assert json.loads(down.body("/"))["rows"] == 2
    down.down()


def test_its_exit_code_is_the_command_s(down: Project) -> None:
    down.gear("run", "backend", "sh", "-c", "exit 7", code=7)
    down.gear("run", "backend", "sh", "-c", "kill -KILL $$", code=137)
    assert "No such file" in down.gear("run", "backend", "no-such-program", code=127).err
    nothing_left(down.folder)


def test_a_terminal_and_ctrl_c_are_the_command_s(down: Project) -> None:
    # It waits for the signal, and does not sleep: Python looks for one before a sleep, and what
    # comes between that look and the kernel's call is seen only after it.
    code = (
        "import signal, sys\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])\n"
        "print('reads', input('name? '), sys.stdin.isatty(), flush=True)\n"
        "signal.sigwait([signal.SIGINT])\nprint('asked to end')"
    )
    shown = Terminal(down, "run", "backend", "python", "-c", code)
    try:
        shown.sees("name? ")
        shown.types("x\n")
        shown.sees("reads x True")
        shown.types("\x03")
        shown.sees("asked to end")
        assert shown.ends() == 0
    finally:
        shown.close()
    nothing_left(down.folder)


WAITS = "import time; print('it runs', flush=True); time.sleep(87.654)"


def waits(project: Project) -> subprocess.Popen[str]:
    running = project.start("run", "backend", "python", "-c", WAITS)
    assert running.stdout is not None
    assert running.stdout.readline() == "it runs\n"
    return running


def test_whoever_brings_the_app_up_meanwhile_waits(down: Project) -> None:
    running = waits(down)
    waiting = down.start("up", "-d")
    assert waiting.stderr is not None
    assert "waiting for `gear run`" in waiting.stderr.readline()
    running.terminate()
    assert running.wait(30) == 128 + signal.SIGTERM, "the command was asked to end"
    assert waiting.wait(60) == 0
    assert json.loads(down.body("/"))
    down.down()


def test_nothing_is_left_of_what_it_stood_on_when_it_is_killed(down: Project) -> None:
    running = waits(down)
    running.kill()
    running.wait(30)
    until(lambda: not processes(down.folder), "all of it is gone")
    assert down.gear("run", "backend", "echo", "again").out == "again\n"


def test_what_a_service_depends_on_runs_before(make: Make) -> None:
    project = make("worker")
    project.up()
    project.gear("down", "-C", project.folder, cwd=Path("/"))
    said = project.gear("run", "web", "sh", "-c", "echo $GEAR_SERVICE")
    assert said.out == "web\n"
    assert "start once.1.1" in said.err, "one-shots too"
    assert "worker.1.1" not in said.err
