"""Apps that fail: what is said, and what goes on serving."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from tests.cli.broken import SAID, assert_told, impatient
from tests.cli.conftest import Make
from tests.cli.running import APPS, nothing_left, requests_all_the_while
from tests.ports import free_port

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("app", SAID)
def test_a_first_start_that_fails_leaves_nothing_running(make: Make, app: str) -> None:
    project = make(f"broken/{app}")
    impatient(project.folder, app)
    done = project.up(code=1)
    assert_told(done.err, app, 1)
    nothing_left(project.folder)
    assert project.gear("ps", code=1).err.startswith("error")


@pytest.mark.parametrize("app", SAID)
def test_the_old_release_goes_on_serving(make: Make, app: str) -> None:
    project = make("hello", name=app)
    project.up()
    running = {i["name"]: i["pid"] for i in project.instances()}
    for path in project.folder.iterdir():
        if path.is_file():
            path.unlink()
    shutil.copytree(APPS / "broken" / app, project.folder, dirs_exist_ok=True)
    impatient(project.folder, app)
    with requests_all_the_while(project) as answers:
        done = project.up(code=1)
    assert_told(done.err, app, 2)
    assert "release 1 goes on serving" in done.err
    assert {status for status, _ in answers()} == {200}
    assert {body for _, body in answers()} == {"hello 1\n"}
    assert {i["name"]: i["pid"] for i in project.instances()} == running


def test_what_starts_slowly_is_waited_for(make: Make) -> None:
    project = make("broken/slow_start", DELAY="1.5")
    project.up()
    assert project.get()[0] == 200


def test_what_ignores_sigterm_is_killed_after_its_grace(make: Make) -> None:
    project = make("broken/ignores_sigterm", STOP_GRACE="500ms")
    project.up()
    began = time.monotonic()
    project.down()
    assert time.monotonic() - began >= 0.5
    nothing_left(project.folder)
    assert "did not stop within 0.5 s: killed" in project.gear("logs", "web").out


def test_a_daemon_left_behind_is_ended_too(make: Make) -> None:
    project = make("broken/fork_bomb_lite")
    project.up()
    daemon = Path(f"/proc/{int(project.body())}")
    assert daemon.exists()
    project.down()
    nothing_left(project.folder)
    assert not daemon.exists()


def test_twenty_megabytes_at_start(make: Make) -> None:
    project = make("broken/chatty", CHATTY_MB="20")
    project.up()
    assert project.get()[0] == 200
    kept = sum(f.stat().st_size for f in (project.folder / ".gear" / "logs").glob("web.log*"))
    assert 20e6 < kept < 60e6
    last = project.gear("logs", "-n", "2", "web").out
    assert 1 <= len(last.splitlines()) <= 2


def test_what_listens_everywhere_is_told_and_stopped_first(make: Make) -> None:
    project = make("broken/wildcard")
    port = str(free_port())
    project.edit("app.py", "8080", port)
    project.edit("docker-compose.yml", ":8080", f":{port}")
    project.edit("Dockerfile", "8080", port)
    project.up()
    assert project.body() == "from everywhere\n"
    project.edit("app.py", "from everywhere", "from here")
    done = project.up()
    assert "stop web.1.1 first" in done.err
    assert f"web listens on 0.0.0.0:{port}, which only one can" in done.err
    assert project.body() == "from here\n"
