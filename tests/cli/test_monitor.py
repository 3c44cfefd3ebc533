"""`gear up` with a named `monitor`: a release that fails after the switch is taken back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Make
from tests.cli.running import Project, Terminal, nothing_left, until

NEVER_FINE = """
import http.server, os, pathlib, threading, time

VERSION = (pathlib.Path(__file__).parent / "VERSION").read_text().strip()

class Answer(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        self.send_response(500 if VERSION == "bad" and self.path != "/" else 200)
        self.end_headers()
        self.wfile.write(f"hello {VERSION}\\n".encode())

if VERSION == "dies":
    def end():
        while not os.path.exists(WHEN):
            time.sleep(0.05)
        print("no disk can be found", flush=True)
        os._exit(7)
    threading.Thread(target=end).start()
http.server.ThreadingHTTPServer((os.environ["HOST"], 8080), Answer).serve_forever()
"""


def when(project: Project) -> Path:
    """What version `dies` waits for: by then it is live, however busy the machine is."""
    return project.folder.with_name("when")


def watched(make: Make, how: str) -> Project:
    project = make("hello")
    project.write("app.py", NEVER_FINE.replace("WHEN", repr(str(when(project)))))
    project.edit(
        "docker-compose.yml", "    deploy:\n", f"    deploy:\n      update_config: {how}\n"
    )
    project.up()
    return project


def last(project: Project) -> str:
    return project.gear("logs", "--events", "-n", "1").out


def test_a_release_that_dies_is_taken_back_and_told(make: Make) -> None:
    project = watched(make, "{monitor: 30s}")
    project.write("VERSION", "dies\n")
    began = project.up()
    assert "live" in began.out
    when(project).touch()
    until(lambda: "rolled back" in last(project), "it went back")
    assert "web.2.1" in last(project)
    until(lambda: project.body() == "hello 1\n", "the first release serves")
    told = project.gear("ps").err
    assert "! hello: rolled back from release 2 to 1 at " in told
    assert "web.2.1 | no disk can be found" in told
    project.write("VERSION", "2\n")
    assert "rolled back from" in project.up().err, "told before the next one"
    assert project.body() == "hello 2\n"
    assert "!" not in project.gear("ps").err, "what came since is no trouble"
    project.down()
    nothing_left(project.folder)  # who watched has left, too


def test_a_release_that_answers_500_is_taken_back(make: Make) -> None:
    project = watched(make, "{monitor: 30s}")
    project.write("VERSION", "bad\n")
    project.up()
    for _ in range(10):
        project.get("/page")
    until(lambda: "rolled back" in last(project), "it went back")
    assert "answered with 5xx" in last(project)
    until(lambda: project.get("/page") == (200, "hello 1\n"), "the first release serves")


@pytest.mark.parametrize(
    ("how", "event"),
    [
        ("{monitor: 30s, failure_action: continue}", "is in trouble"),
        ("{parallelism: 0}", "is live"),
    ],
)
def test_it_is_left_as_it_is_where_the_file_says_so(make: Make, how: str, event: str) -> None:
    project = watched(make, how)
    project.write("VERSION", "dies\n")
    project.up()
    when(project).touch()
    until(lambda: "ended" in project.logs(), "it died")
    until(lambda: event in last(project), "it is told, or nobody watches")
    assert {one["release"] for one in project.instances() if one["role"] == "web"} == {2}
    plain = json.loads(project.gear("releases", "--json").out)
    assert plain


def test_watch_tells_of_it_as_it_happens(make: Make) -> None:
    project = watched(make, "{monitor: 30s}")
    project.down()
    shown = Terminal(project, "up", "--watch")
    try:
        shown.sees("watching")
        project.write("VERSION", "dies\n")
        shown.sees("release 2 is live")
        when(project).touch()
        shown.sees("rolled back from release 2 to 1")
        shown.sees("no disk can be found")
        until(lambda: project.body() == "hello 1\n", "the first release serves")
        shown.types("\x03")
        assert shown.ends() == 0
    finally:
        shown.close()
    nothing_left(project.folder)
