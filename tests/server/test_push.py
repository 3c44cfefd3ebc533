"""`git push` puts a commit live, or is rejected and changes nothing."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from tests.server.pushing import Clone, HostFolder, clone_of


def test_from_an_empty_host_to_live_and_on(shop: Clone) -> None:
    first = shop.push()
    assert f"live at http://localhost:{shop.port} after" in first.err
    assert re.search(r"✓ build release 1  \d+\.\d\d s", first.err)
    assert re.search(r"✓ start web\.1\.1  \d+\.\d\d s", first.err)
    assert re.search(r"shop: release 1 is live, \d+\.\d\d s in all", first.err)
    assert shop.body() == "hello 1\n"
    assert shop.remote() == shop.head()

    commit = shop.version("2")
    second = shop.push()
    assert "✓ drain and stop web.1.1" in second.err
    assert shop.body() == "hello 2\n"
    assert shop.remote() == commit
    assert shop.instances() == ["edge", "web.2.1"]
    told = shop.events()
    assert [(one["what"], one["release"]) for one in told] == [("live", 2), ("live", 1)]
    assert told[0]["by"] == "alice"
    assert told[0]["via"] == "git push"
    assert told[0]["commit"] == commit
    assert [line.partition(" ")[2] for line in told[0]["commits"]] == ["version 2"]
    assert {one["step"] for one in told[0]["steps"]} >= {"build release 2", "start web.2.1"}


def test_a_release_that_fails_rejects_the_push(shop: Clone) -> None:
    shop.push()
    before = shop.head()
    shop.write("app.py", "print('reading the queue'); raise SystemExit('no queue')\n")
    bad = shop.commit("broken")
    said = shop.refused()
    assert "web.2.1: the new version of web failed: ended with exit code 1" in said
    assert "    reading the queue\n    no queue" in said
    assert "release 1 goes on serving" in said
    assert shop.body() == "hello 1\n"
    assert shop.remote() == before
    assert shop.instances() == ["edge", "web.1.1"]
    assert [(one["what"], one["release"]) for one in shop.events()] == [("failed", 2), ("live", 1)]
    assert shop.events()[0]["commit"] == bad
    shop.git("revert", "--no-edit", "HEAD")
    mended = shop.push()
    assert "nothing to do, release 1 runs this already" in mended.err
    assert shop.remote() == shop.head(), "the branch has the new commit all the same"


def test_the_plan_of_a_push_changes_nothing(shop: Clone) -> None:
    shop.push()
    before = shop.head()
    shop.version("2")
    said = shop.refused("-o", "plan", "main")
    assert "  start web.2.1\n  switch nginx to release 2\n" in said
    assert "nothing was changed" in said
    assert shop.body() == "hello 1\n"
    assert shop.remote() == before


def test_locks_that_a_killed_git_left_stop_no_push(shop: Clone) -> None:
    shop.push()
    repository = shop.state / "repo.git"
    for name in ("refs/heads/main", "refs/gear/releases/2", "refs/gear/log", "HEAD", "config"):
        lock = repository / f"{name}.lock"
        lock.touch()
        os.utime(lock, (time.time() - 60, time.time() - 60))
    commit = shop.version("2")
    shop.push()
    assert shop.body() == "hello 2\n"
    assert shop.remote() == commit
    shop.host.create("shop")  # which writes the repository's settings


def test_what_has_run_for_long_keeps_its_packages_whatever_is_pushed(
    shop: Clone, tmp_path: Path
) -> None:
    shop.push()
    dockerfile = "FROM python\nWORKDIR /code\nCOPY . .\nRUN pip install --pre -i x\n"
    for clone, command in ((clone_of(shop.host, "other", tmp_path), "app.py"), (shop, "no.py")):
        for marker in (shop.host.folder / "envs").glob("*/geartrain-complete"):
            os.utime(marker, (0, 0))  # nobody has asked for them since
        clone.write("Dockerfile", f'{dockerfile}CMD ["python", "{command}"]\n')
        clone.commit()
        clone.push(code=1 if clone is shop else 0)
        shop.gear("restart", "web")
        assert shop.body() == "hello 1\n"


def test_making_a_host_and_an_app_again_changes_nothing(host: HostFolder) -> None:
    again = host.gear("host", "init", "--json").json()
    key = host.gear("host", "key").out.strip()
    assert again == {"folder": str(host.folder), "engine": "embedded", "new": False, "key": key}
    remote = host.create("shop")
    hook = (remote / "hooks" / "pre-receive").read_text()
    assert host.create("shop") == remote
    assert (remote / "hooks" / "pre-receive").read_text() == hook
    assert [row["app"] for row in host.gear("app", "list", "--json").json()] == ["shop"]
