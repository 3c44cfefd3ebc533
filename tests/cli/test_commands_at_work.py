"""The commands on a running app, as people and as programs use them."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Make
from tests.cli.running import (
    ESCAPE,
    PATIENCE,
    Done,
    Project,
    Terminal,
    plain,
    processes,
    until,
)

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture(scope="module")
def app(share: Make) -> Project:
    """Web, worker, one-shot, scheduled job."""
    project = share("worker")
    project.up()
    return project


def state_of(project: Project, service: str) -> str:
    return str(next(i["state"] for i in project.instances() if i["service"] == service))


# -- ps ----------------------------------------------------------------------


def test_every_kind_of_service_is_listed(app: Project) -> None:
    expected = {
        "edge": "ready", "web": "ready", "worker": "ready", "once": "exited", "job": "scheduled",
    }  # fmt: skip
    # Each minute the job runs for a moment.
    until(lambda: {i["service"]: i["state"] for i in app.instances()} == expected, "all as it is")
    said = r"^SERVICE .*^job .* scheduled .* next run \d{4}-\d\d-\d\d \d\d:\d\d UTC"
    until(lambda: re.search(said, app.gear("ps").out, re.M | re.S), "when it runs next")


def test_the_one_shot_ran_before_its_dependents_and_all_share_the_volume(app: Project) -> None:
    parts = app.body()
    assert re.search(r"^once: ran \d+$", parts, re.M)
    assert re.search(r"^worker: started \d+$", parts, re.M)
    logs = app.gear("logs", "--json").out.splitlines()
    seen = [json.loads(line)["instance"].split(".")[0] for line in logs]
    assert seen.index("once") < seen.index("web")


def test_ps_fails_while_something_is_not_right(make: Make) -> None:
    project = make("hello")
    project.up()
    project.gear("ps", code=0)
    (project.folder / ".gear" / "releases" / "1" / "src" / "app.py").write_text(
        "raise SystemExit(9)"
    )
    project.get("/crash")
    told: list[Done] = []

    def ended() -> bool:
        told.append(project.gear("ps", code=None))  # between two ends it is starting again
        return "exit code 9" in told[-1].out

    until(ended, "ps tells why")
    assert told[-1].code == 1
    assert "restarts" in told[-1].out


# -- output ------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [("ps",), ("plan", "."), ("up", "-d"), ("doctor",)], ids=lambda words: words[0]
)
def test_json_alone_is_on_stdout(app: Project, words: tuple[str, ...]) -> None:
    done = app.gear(*words, "--json")
    assert done.json() is not None
    assert ESCAPE not in done.said


def test_up_tells_programs_what_there_is(app: Project) -> None:
    told = app.up("--json").json()
    assert told["app"] == "worker"
    assert told["changed"] is False
    assert told["steps"] == []
    assert told["urls"] == [f"http://localhost:{app.port}"]
    assert {i["service"] for i in told["instances"]} >= {"web", "worker"}


def test_json_is_for_the_background(make: Make) -> None:
    for words in (("--json",), ("--json", "-d", "--watch")):
        done = make(name="-".join(words)).gear("up", *words, code=2)
        assert "--json goes with --detach" in done.err


def test_plan_prints_nothing_when_nothing_is_to_do(app: Project) -> None:
    done = app.gear("plan")
    assert done.out == ""


def test_plan_prints_the_steps_and_takes_none(make: Make) -> None:
    project = make("hello")
    done = project.gear("plan")
    assert done.out.splitlines() == [
        "build release 1", "start web.1.1", "switch nginx to release 1", "record release 1 as live",
    ]  # fmt: skip
    assert not processes(project.folder)
    steps = project.gear("plan", "--json").json()["steps"]
    assert [step["type"] for step in steps] == ["build", "start", "switch", "record"]
    assert project.up("--json").json()["steps"] == done.out.splitlines()
    project.write("VERSION", "2\n")
    assert "drain and stop web.1.1" in project.gear("plan").out
    assert project.body() == "hello 1\n"


def test_colours_are_for_terminals(app: Project, terminal: Callable[..., Terminal]) -> None:
    shown = terminal(app, "ps")
    assert shown.ends() == 0
    assert f"{ESCAPE}32m" in shown.shown
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        quiet = terminal(app, "ps", **env)
        assert quiet.ends() == 0
        assert ESCAPE not in quiet.shown
        assert "ready" in quiet.shown
    assert ESCAPE not in app.gear("ps").said


def test_a_reader_that_leaves_is_no_failure(app: Project) -> None:
    running = app.start("logs", "-f")
    assert running.stdout
    assert running.stderr
    running.stdout.readline()
    running.stdout.close()
    assert running.wait(PATIENCE) in (1, -signal.SIGPIPE)
    assert running.stderr.read() == ""
    running.stderr.close()


# -- logs --------------------------------------------------------------------


def test_logs_are_merged_with_their_instances(app: Project) -> None:
    lines = app.gear("logs").out.splitlines()
    assert {line.split()[0].split(".")[0] for line in lines} >= {"web", "worker", "once"}
    assert all(" | " in line for line in lines)
    alone = app.gear("logs", "once").out.splitlines()
    assert {line.split()[0] for line in alone} == {"once.1.1"}
    assert any(line.endswith("| once ran") for line in alone)


def test_the_last_lines_of_each_service(app: Project) -> None:
    until(lambda: len(app.gear("logs", "worker").out.splitlines()) > 5, "worker says something")
    assert len(app.gear("logs", "-n", "3", "worker").out.splitlines()) == 3
    both = app.gear("logs", "-n", "1", "worker", "once").out.splitlines()
    assert len(both) == 2


def test_log_lines_for_programs(app: Project) -> None:
    lines = [json.loads(line) for line in app.gear("logs", "--json").out.splitlines()]
    assert all(set(line) == {"time", "instance", "text"} for line in lines)
    assert all(STAMP.fullmatch(line["time"]) for line in lines)
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)


def test_logs_since_a_time(app: Project) -> None:
    until(lambda: "worked" in app.gear("logs", "--since", "1s", "worker").out, "it works on")
    assert app.gear("logs", "--since", "1h", "once").out == app.gear("logs", "once").out
    future = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
    assert app.gear("logs", "--since", future).out == ""
    refused = app.gear("logs", "--since", "yesterday", code=2)
    assert "'yesterday' is neither like 10m nor like" in refused.err


def test_logs_follow(app: Project) -> None:
    running = app.start("logs", "-f", "-n", "1", "worker")
    assert running.stdout
    lines = [running.stdout.readline() for _ in range(5)]
    running.send_signal(signal.SIGINT)
    assert running.wait(PATIENCE) in (0, 130)
    assert all(line.startswith("worker.1.1") for line in lines)
    assert all("worked" in line for line in lines[1:])
    running.communicate()


def test_an_unknown_service_is_answered_with_the_nearest(app: Project) -> None:
    for words in (("logs", "wrker"), ("exec", "wrker", "true"), ("run", "wrker", "true"),
                  ("restart", "wrker"), ("wait", "wrker"), ("wait", "once", "wrker")):  # fmt: skip
        done = app.gear(*words, code=1)
        assert done.err.startswith("error: "), done.err
        assert "wrker" in done.err
        assert "worker" in done.err.replace("wrker", ""), done.err


# -- exec, run, restart, wait -------------------------------------------------


HOSTILE = ["a b", "it's", 'say "hi"', "$HOME", "`id`", "*", "", "--help", "-x", "a\nb", "ü", "\\"]


@pytest.mark.parametrize("verb", ["exec", "run"])
def test_arguments_pass_unchanged(app: Project, verb: str) -> None:
    code = "import json, sys; print(json.dumps(sys.argv[1:]))"
    done = app.gear(verb, "worker", "python", "-c", code, *HOSTILE)
    assert done.json() == HOSTILE


@pytest.mark.parametrize("verb", ["exec", "run"])
def test_exit_codes_and_input_pass_unchanged(app: Project, verb: str) -> None:
    assert app.gear(verb, "web", "sh", "-c", "exit 37", code=37).said == ""
    assert app.gear(verb, "web", "cat", stdin="line\n").out == "line\n"
    assert app.gear(verb, "web", "sh", "-c", "kill -9 $$", code=-9)
    missing = app.gear(verb, "web", "no-such-program", code=127)
    assert "no-such-program" in missing.err


@pytest.mark.parametrize("verb", ["exec", "run"])
def test_a_command_sees_what_its_service_sees(app: Project, verb: str) -> None:
    code = "import os; print(os.environ['WORK_DIR'], os.getcwd())"
    volume, folder = app.gear(verb, "worker", "python", "-c", code).out.split()
    assert (Path(volume) / "worker.log").exists()
    assert (Path(folder) / "app.py").exists()


def pids(project: Project) -> dict[str, int]:
    """Of all but the job, which has another one each minute."""
    return {i["name"]: i["pid"] for i in project.instances() if i["role"] != "job"}


def test_restart(app: Project) -> None:
    before = pids(app)
    done = app.gear("restart", "worker")
    assert "worker.1.1 is ready again" in done.err
    after = pids(app)
    assert {name for name in before if before[name] != after[name]} == {"worker.1.1"}
    app.gear("restart")
    again = pids(app)
    assert {name for name in after if after[name] != again[name]} == {"web.1.1", "worker.1.1"}
    assert app.get()[0] == 200


def test_wait_gives_the_exit_code(app: Project, make: Make) -> None:
    assert "once.1.1 exited 0" in app.gear("wait", "once").out
    project = make()
    project.write(
        "app.py",
        f"""\
        import os, time
        while not os.path.exists({str(project.folder / "end")!r}):
            time.sleep(0.05)
        raise SystemExit(5)
        """,
    )
    project.write("Dockerfile", "FROM python:3\nCOPY . .\nCMD python app.py\n")
    project.write("docker-compose.yml", """\
        services:
          late: { build: ., restart: "on-failure:1", x-gear: { role: worker } }
        """)  # fmt: skip
    project.up()
    waiting = project.start("wait", "late")
    (project.folder / "end").touch()
    assert waiting.wait(PATIENCE) == 5
    waiting.communicate()


def test_commands_find_the_project_from_below(app: Project) -> None:
    below = app.folder / "some" / "folder"
    below.mkdir(parents=True, exist_ok=True)
    assert app.gear("ps", "--json", cwd=below).json()["instances"]
    assert app.gear("ps", "-C", app.folder, "--json", cwd=Path("/")).json()["instances"]
    assert app.gear("plan", "-C", app.folder, cwd=Path("/")).out == ""
    assert app.gear("plan", app.folder, cwd=Path("/")).out == ""
    twice = app.gear("down", "-C", app.folder, app.folder, cwd=Path("/"), code=2)
    assert "say the folder once" in twice.err


# -- where nothing runs -------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [("ps",), ("logs", "-f"), ("exec", "web", "true"), ("run", "web", "true"), ("restart",),
     ("wait", "web"), ("db", "shell"), ("redis", "shell"), ("logs",), ("down",)],
    ids=" ".join,
)  # fmt: skip
def test_before_any_up(make: Make, words: tuple[str, ...]) -> None:
    project = make("hello")
    done = project.gear(*words, code=1)
    assert "nothing was started in" in done.err
    assert "`gear up`" in done.err
    assert project.tree().keys() == {"app.py", "Dockerfile", "docker-compose.yml", "VERSION"}
    assert not (project.folder / ".gear").exists()


def test_after_down(make: Make) -> None:
    project = make("hello")
    project.up()
    project.down()
    for words in (("ps",), ("restart",), ("exec", "web", "true")):
        assert "nothing runs here" in project.gear(*words, code=1).err
    assert "hello 1 stopped" in project.gear("logs").out
    assert "nothing runs here" in project.down().err


def test_a_service_that_is_not_there(app: Project) -> None:
    assert "no database service" in app.gear("db", "shell", code=1).err
    assert "no cache service" in app.gear("redis", "shell", code=1).err


def test_mistyped_commands_and_options(app: Project) -> None:
    done = app.gear("lgos", code=2)
    assert "There is no command 'lgos'. Did you mean `gear logs`?" in done.err
    done = app.gear("up", "--detatch", code=2)
    assert "--detatch" in done.err
    assert "--detach" in done.err
    assert "no-such-folder" in app.gear("up", "no-such-folder", code=2).err
    assert "--port" in app.gear("up", "--port", "x", code=2).err
    assert plain(done.err) == done.err
