"""Back, more copies, as it should be, stopped, gone: on a real host."""

from __future__ import annotations

import os
import signal

import pytest

from tests.cli.running import until
from tests.server.pushing import Clone


@pytest.fixture
def second(shop: Clone) -> Clone:
    """An app with two releases; the second is live."""
    shop.push()
    shop.version("2")
    shop.push()
    return shop


def supervisor(shop: Clone) -> tuple[int, int]:
    guard, child = (shop.state / "run" / "pids").read_text().split()
    return int(guard), int(child)


@pytest.mark.slow
def test_back_and_forth_without_a_build(second: Clone) -> None:
    first = second.git("rev-parse", "HEAD~1").out.strip()
    back = second.gear("rollback", "--json").json()
    assert back["release"] == 1
    assert back["urls"] == [f"http://localhost:{second.port}"]
    assert second.body() == "hello 1\n"
    assert second.remote() == first, "the branch is always at what runs"
    until(lambda: second.instances() == ["edge", "web.1.1"], "the others have ended")
    told = second.events()[0]
    assert (told["what"], told["release"], told["before"]) == ("rolled back", 1, 2)
    assert told["via"] == "gear rollback"

    assert "live already" in second.gear("rollback", "1", code=1).err
    assert "release 9 is not kept\n  → kept are 1, 2" in second.gear("rollback", "9", code=1).err
    second.gear("rollback", "2")
    assert second.body() == "hello 2\n"
    again = second.push()
    assert "Everything up-to-date" in again.err

    second.gear("rollback")
    assert second.body() == "hello 1\n", "back is back to what was live before"
    pushed = second.push()
    assert "release 2 is live" in pushed.err, "its commit is the same release"
    assert second.body() == "hello 2\n"


def test_the_history_is_shown(second: Clone) -> None:
    rows = second.gear("releases").out.splitlines()
    assert rows[0].split()[:4] == ["RELEASE", "WHAT", "WHEN", "BY"]
    assert rows[1].split()[:3] == ["2", "*", "live"]
    assert "alice" in rows[1]
    assert "version 2" in rows[1]
    known = second.gear("releases", "--app", "shop", "--json").json()
    assert (known["live"], [e["release"] for e in known["events"]]) == (2, [2, 1])
    shown = second.gear("show", "2").out
    assert "release 2 is live" in shown
    assert "by alice (git push)" in shown
    assert "version 2" in shown
    assert "start web.2.1" in shown
    plain = second.gear("show", "--json").json()
    assert plain["release"] == 2
    assert plain["events"][0]["commit"] == second.head()
    assert "knows nothing of release 9" in second.gear("show", "9", code=1).err


def test_the_difference_of_the_configuration_is_told_without_secrets(shop: Clone) -> None:
    shop.push()
    compose = (shop.folder / "docker-compose.yml").read_text()
    more = compose + '      max: 1\n    environment: {TOKEN: "s3cret"}\n    expose: ["9000"]\n'
    shop.write("docker-compose.yml", more.replace("      max: 1\n", ""))
    shop.commit("more")
    shop.push()
    shown = shop.gear("show").out
    assert "services.web.environment.TOKEN added" in shown
    assert "services.web.expose.0: 9000 added" in shown
    assert "s3cret" not in shown
    shop.git("fetch", "live", "+refs/gear/log:refs/gear/log")
    everything = shop.git("log", "-p", "refs/gear/log").out
    assert "services.web.environment.TOKEN" in everything
    assert "s3cret" not in everything


@pytest.mark.slow
def test_more_copies_survive_the_next_push(second: Clone) -> None:
    second.gear("scale", "web=3")
    assert second.instances() == ["edge", "web.2.1", "web.2.2", "web.2.3"]
    assert second.gear("scale", "--json").json() == {"web": 3}
    told = second.events()[0]
    assert (told["what"], told["replicas"], told["release"]) == ("scaled", {"web": 3}, 2)
    second.version("3")
    second.push()
    assert second.instances() == ["edge", "web.3.1", "web.3.2", "web.3.3"]
    second.gear("scale", "web=1")
    until(lambda: second.instances() == ["edge", "web.3.1"], "the others are drained")
    assert second.body() == "hello 3\n"
    second.gear("scale", "web=file")
    assert second.gear("scale", "--json").json() == {}
    assert "there is no service 'wep'" in second.gear("scale", "wep=2", code=3).err
    assert "from 1 to 64" in second.gear("scale", "web=0", code=3).err
    assert "not like web=4" in second.gear("scale", "web=many", code=3).err


@pytest.mark.slow
def test_converge_brings_back_what_should_run_and_then_does_nothing(second: Clone) -> None:
    assert "nothing to do" in second.gear("converge").out
    guard, child = supervisor(second)
    os.kill(guard, signal.SIGKILL)
    os.kill(child, signal.SIGKILL)
    until(lambda: second.get()[0] == 0, "nothing serves")
    done = second.gear("converge", "--json").json()
    assert done[0]["steps"]
    assert second.body() == "hello 2\n"
    assert second.instances() == ["edge", "web.2.1"]
    assert second.gear("converge", "--json").json()[0]["steps"] == []


@pytest.mark.slow
def test_what_was_stopped_stays_stopped_until_it_is_asked_for(second: Clone) -> None:
    second.gear("down")
    assert second.get()[0] == 0
    assert second.events()[0]["what"] == "stopped"
    boot = second.host.gear("converge", "--all", "--json").json()
    assert boot[0]["stopped"]
    assert second.get()[0] == 0
    assert "gear converge --app shop" in second.gear("ps", code=1).err
    second.gear("converge")
    assert second.body() == "hello 2\n"
    assert not second.gear("releases", "--json").json()["stopped"]


@pytest.mark.slow
def test_an_app_is_destroyed_and_its_data_only_when_asked_for(second: Clone) -> None:
    (second.state / "files" / "kept").mkdir()
    refused = second.host.gear("destroy", "shop", code=None, stdin="sop\n")
    assert refused.code != 0
    assert second.body() == "hello 2\n"
    second.host.gear("destroy", "shop", stdin="shop\n")
    assert second.get()[0] == 0
    assert second.host.gear("app", "list", "--json").json() == []
    assert (second.state / "files" / "kept").exists()
    assert not (second.state / "repo.git").exists()
    second.host.create("shop")
    second.host.gear("destroy", "shop", "--data", "--yes")
    assert not second.state.exists()


def test_the_usual_commands_take_an_app(second: Clone) -> None:
    for words in ((), ("--app", "shop")):
        seen = second.gear("ps", "--json", *words).json()
        assert {one["name"] for one in seen["instances"]} == {"edge", "web.2.1"}
    assert "hello 2 listens" in second.gear("logs", "web").out
    assert "hello 1" not in second.gear("logs", "--release", "2", "web").out
    assert "hello 1" in second.gear("logs", "--release", "1", "web").out
    assert second.gear("run", "web", "cat", "VERSION").out == "2\n"
    second.gear("restart", "web")
    assert second.body() == "hello 2\n"
    assert second.gear("plan", "--app", "shop").out == ""
    wrong = second.gear("ps", "--app", "shopp", code=1).err
    assert "there is no app 'shopp' on this host; did you mean 'shop'?" in wrong
