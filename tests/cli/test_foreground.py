"""`gear up` in a terminal: what Ctrl-C, a closed terminal, `kill` and a second one do."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from tests.cli.conftest import Make
from tests.cli.running import (
    PATIENCE,
    Project,
    Terminal,
    nothing_left,
    plain,
    requests_all_the_while,
    until,
)

pytestmark = pytest.mark.slow

Open = Callable[..., Terminal]


def lives(shown: Terminal, project: Project) -> None:
    shown.sees(f"is live at http://localhost:{project.port}")
    assert until(project.body, "it answers").startswith("hello")


def test_ctrl_c_stops_everything(make: Make, terminal: Open) -> None:
    project = make("hello")
    shown = terminal(project, "up")
    lives(shown, project)
    shown.sees("web.1.1")
    shown.ctrl_c()
    assert shown.ends() == 0
    assert "stopping" in shown.shown
    nothing_left(project.folder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_every_end_of_the_command_stops_everything(
    make: Make, terminal: Open, number: signal.Signals
) -> None:
    project = make("hello")
    shown = terminal(project, "up")
    lives(shown, project)
    shown.process.send_signal(number)
    shown.ends()
    nothing_left(project.folder)


def test_a_closed_terminal_stops_everything(make: Make, terminal: Open) -> None:
    project = make("hello")
    shown = terminal(project, "up")
    lives(shown, project)
    os.close(shown.master)
    shown.master = os.open(os.devnull, os.O_RDONLY)
    shown.process.wait(PATIENCE)
    nothing_left(project.folder)


@pytest.mark.parametrize("when", ["build release 1", "start web.1.1"])
def test_ctrl_c_while_it_starts(make: Make, terminal: Open, when: str) -> None:
    project = make("broken/slow_start", DELAY="600")
    shown = terminal(project, "up", "-d")
    shown.sees(when)
    shown.ctrl_c()
    assert shown.ends() == 130
    nothing_left(project.folder)


def test_log_lines_appear_with_their_instance_in_colour(make: Make, terminal: Open) -> None:
    project = make("worker")
    shown = terminal(project, "up")
    shown.sees("worker worked")
    line = next(one for one in shown.shown.splitlines() if "worker worked" in one)
    assert plain(line).startswith("worker.1.1     | worker worked")
    assert line != plain(line)
    shown.ctrl_c()
    assert shown.ends() == 0


def test_a_second_up_attaches_and_lets_go(make: Make, terminal: Open) -> None:
    project = make("hello")
    first = terminal(project, "up")
    lives(first, project)
    second = terminal(project, "up")
    second.sees("attached to what runs already: Ctrl-C lets go of it")
    assert "nothing to do: release 1 is live" in second.shown
    second.ctrl_c()
    assert second.ends() == 0
    assert project.body() == "hello 1\n"
    first.ctrl_c()
    assert first.ends() == 0
    nothing_left(project.folder)


def test_a_second_up_releases_a_change(make: Make, terminal: Open) -> None:
    project = make("hello")
    first = terminal(project, "up")
    lives(first, project)
    project.write("VERSION", "2\n")
    assert "record release 2 as live" in project.up().err
    assert project.body() == "hello 2\n"
    first.sees("hello 2 listens")
    first.ctrl_c()
    assert first.ends() == 0
    nothing_left(project.folder)


def test_down_ends_a_foreground_up(make: Make, terminal: Open) -> None:
    project = make("hello")
    shown = terminal(project, "up")
    lives(shown, project)
    project.down()
    assert shown.ends() in (0, 1)
    nothing_left(project.folder)


def test_watch_releases_what_is_saved(make: Make, terminal: Open) -> None:
    project = make("hello")
    shown = terminal(project, "up", "--watch")
    lives(shown, project)
    shown.sees("watching")
    with requests_all_the_while(project) as answers:
        project.write("VERSION", "2\n")
        shown.sees("release 2 is live after")
        assert until(lambda: project.body() == "hello 2\n", "the change is live")
        project.write("app.py", "raise SystemExit('not today')\n")
        shown.sees("release 2 goes on serving")
        shown.sees("not today")
        project.write("docker-compose.yml", "services: [\n")
        shown.sees("docker-compose.yml:")
        assert project.body() == "hello 2\n"
    assert {status for status, _ in answers()} == {200}
    assert {body for _, body in answers()} == {"hello 1\n", "hello 2\n"}
    shown.ctrl_c()
    assert shown.ends() == 0
    nothing_left(project.folder)


def test_without_a_terminal(make: Make) -> None:
    """As a process manager runs it."""
    project = make("hello")
    running = project.start("up")
    assert running.stdout
    while "is live at" not in (line := running.stdout.readline()):
        assert line, "it ended"
    assert project.body() == "hello 1\n"
    running.send_signal(signal.SIGTERM)
    out, err = running.communicate(timeout=PATIENCE)
    assert running.returncode == 0
    assert "\x1b" not in out + err
    assert "Traceback" not in err
    nothing_left(project.folder)
