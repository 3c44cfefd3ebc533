"""`gear run`: a command in an instance of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Make
from tests.cli.running import Project, Terminal, processes, until


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


def test_without_an_app_that_runs(make: Make) -> None:
    project = make("hello")
    project.up()
    project.gear("down", "-C", project.folder, cwd=Path("/"))
    refused = project.gear("run", "web", "true", code=1)
    assert "nothing runs here" in refused.err
    assert "gear up -d" in refused.err
