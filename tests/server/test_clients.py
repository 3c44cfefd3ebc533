"""Clients that wait, and clients that go away: the old release goes on, or the new one is live."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.running import PATIENCE, until
from tests.server.pushing import NOBODY, Clone, hooks

pytestmark = pytest.mark.slow

IMPORT = "import asyncio\n"


def held_up(shop: Clone, version: str) -> Path:
    """A version that does not answer until this file is there."""
    go = shop.folder.with_name("go")
    app = (shop.folder / "app.py").read_text()
    assert IMPORT in app
    waits = f"import os, time\nwhile not os.path.exists({str(go)!r}):\n    time.sleep(0.05)\n"
    shop.write("app.py", app.replace(IMPORT, IMPORT + waits, 1))
    shop.version(version)
    return go


def of_this_push(shop: Clone, before: list[int]) -> tuple[int, int]:
    """The hook, and the process that releases."""

    def both() -> list[int]:
        # Between two calls of the kernel, what it starts looks like itself.
        new = [pid for pid in hooks(shop) if pid not in before]
        return new if len(new) == 2 else []

    hook, worker = until(both, "two processes are at it")
    return hook, worker


def running(shop: Clone, name: str) -> bool:
    return name in shop.instances()


def ended(push: subprocess.Popen[str]) -> str:
    out, _ = push.communicate(timeout=PATIENCE)
    return out


def free(shop: Clone) -> None:
    """Wait until nobody holds the app."""
    until(lambda: shop.gear("plan", "--app", "shop", code=None).code == 0, "the app is free")


def test_a_second_push_waits_visibly(shop: Clone) -> None:
    shop.push()
    go = held_up(shop, "2")
    other = shop.folder.parent / "other"
    subprocess.run(
        ["git", "clone", "--quiet", shop.folder, other], check=True, env={**os.environ, **NOBODY}
    )
    later = Clone(other, shop.host, "shop", shop.port)
    later.git("remote", "add", "live", str(shop.state / "repo.git"))
    later.version("3")
    first = shop.start("live", "main")
    until(lambda: running(shop, "web.2.1"), "the first push is under way")
    told = later.refused("-o", "no-wait", "main", env={"GEAR_USER": "bob"})
    assert "`git push` of alice (pid " in told
    assert "is at work here" in told
    waiting = later.start("live", "main", env={"GEAR_USER": "bob"})
    assert waiting.stdout
    line = ""
    while "waiting for `git push` of alice (pid " not in line:
        line = waiting.stdout.readline()
        assert line, "it waits and says so"
    go.touch()
    said = ended(waiting)
    assert waiting.returncode == 1
    assert "main is at " in said, "it was made for the commit before"
    assert "git fetch, and push again" in said
    assert "release 2 is live" in ended(first)
    assert "release 3 is live" in later.push().err
    assert shop.body() == "hello 3\n"


def gone(push: subprocess.Popen[str]) -> None:
    """The client vanishes with everything on its side, as Ctrl-C in a terminal ends it."""
    os.killpg(push.pid, signal.SIGINT)
    push.wait(PATIENCE)


def cut(push: subprocess.Popen[str]) -> None:
    """The network is cut: the client is just not there any more."""
    os.kill(push.pid, signal.SIGKILL)
    push.wait(PATIENCE)


@pytest.mark.parametrize("vanishes", [gone, cut])
def test_a_client_that_goes_away_before_the_switch_leaves_the_old_release(
    shop: Clone, vanishes: object
) -> None:
    shop.push()
    before = shop.head()
    go = held_up(shop, "2")
    push = shop.start("live", "main")
    until(lambda: running(shop, "web.2.1"), "the new version starts")
    vanishes(push)  # type: ignore[operator]
    free(shop)
    assert shop.body() == "hello 1\n"
    assert shop.remote() == before
    until(lambda: shop.instances() == ["edge", "web.1.1"], "the new version is stopped")
    last = shop.events()[0]
    assert last["what"] == "failed"
    assert "went away before the switch" in last["why"]
    go.touch()
    assert "release 2 is live" in shop.push().err


@pytest.mark.parametrize("vanishes", [gone, cut])
def test_a_client_that_goes_away_after_the_switch_leaves_the_new_release(
    shop: Clone, vanishes: object
) -> None:
    shop.push()
    commit = shop.version("2")
    push = shop.start("live", "main")
    # Somebody still reads: the old instance cannot stop, and the push waits for that.
    until(lambda: shop.body() == "hello 2\n", "the new version serves")
    vanishes(push)  # type: ignore[operator]
    free(shop)
    until(lambda: shop.remote() == commit, "the branch is at what runs")
    assert shop.body() == "hello 2\n"
    until(lambda: shop.instances() == ["edge", "web.2.1"], "the old version is stopped")
    assert shop.gear("releases", "--json").json()["live"] == 2
    assert "Everything up-to-date" in shop.push().err


def test_the_hook_is_killed_and_the_release_gives_up(shop: Clone) -> None:
    shop.push()
    watching = hooks(shop)
    held_up(shop, "2")
    push = shop.start("live", "main")
    until(lambda: running(shop, "web.2.1"), "the new version starts")
    hook, _ = of_this_push(shop, watching)
    os.kill(hook, signal.SIGKILL)
    assert "pre-receive hook declined" in ended(push)
    free(shop)
    assert shop.body() == "hello 1\n"
    assert shop.instances() == ["edge", "web.1.1"]


def test_the_release_is_killed_and_the_client_is_told(shop: Clone) -> None:
    shop.push()
    watching = hooks(shop)
    held_up(shop, "2")
    push = shop.start("live", "main")
    until(lambda: running(shop, "web.2.1"), "the new version starts")
    _, worker = of_this_push(shop, watching)
    os.kill(worker, signal.SIGKILL)
    said = ended(push)
    assert "the release was interrupted; `gear converge` says what runs" in said
    assert "pre-receive hook declined" in said
    shop.gear("converge")
    assert shop.body() == "hello 1\n"
    until(lambda: shop.instances() == ["edge", "web.1.1"], "no stray")
    assert shop.gear("converge", "--json").json()[0]["steps"] == []
