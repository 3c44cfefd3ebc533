"""`kill -9` of a release at every boundary: then converge, and exactly the right one is live."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.running import SOURCE, until
from tests.server.pushing import Clone

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]


def with_kills(shop: Clone) -> None:
    """The hook with moments; `gear converge` writes the real one again."""
    hook = shop.state / "repo.git" / "hooks" / "pre-receive"
    hook.write_text(
        f"#!/bin/sh\nexport PYTHONPATH={SOURCE}:{ROOT}\n"
        f"exec {sys.executable} {Path(__file__).parent / 'killed_hook.py'}"
        f" {shop.host.folder} {shop.app}\n"
    )
    hook.chmod(0o755)


def test_after_a_kill_at_any_boundary_exactly_one_release_is_live(
    shop: Clone, tmp_path: Path
) -> None:
    shop.push()
    live, version, killed = 1, 1, []
    commits = {1: shop.head()}
    for at in range(1, 200):
        with_kills(shop)
        version += 1
        commit = shop.version(str(version))
        log = tmp_path / f"{at}.log"
        push = shop.push(code=None, env={"KILL_AT": str(at), "KILL_LOG": str(log)})
        moments = log.read_text().splitlines()
        if len(moments) < at:
            assert push.code == 0
            break
        killed.append(moments[-1])
        shop.gear("converge")
        known = shop.gear("releases", "--json").json()
        if known["live"] != live:
            live = known["live"]
            commits[live] = commit
        body = shop.git("show", f"{commits[live]}:VERSION").out
        assert shop.body() == f"hello {body}", moments[-1]
        assert shop.remote() == commits[live], "the branch is at what runs"
        expected = ["edge", f"web.{live}.1"]
        until(lambda: shop.instances() == expected, f"no stray ({moments[-1]})")  # noqa: B023
        assert shop.gear("converge", "--json").json()[0]["steps"] == []
        assert not (shop.state / "incoming").exists()
        repository = str(shop.state / "repo.git")
        shop.git("--git-dir", repository, "fsck", "--strict", "--connectivity-only")
        if shop.remote() != shop.head():  # the next version grows on what is live
            shop.git("reset", "--quiet", "--hard", commits[live])
    else:
        raise AssertionError("it never ends")
    assert {"after tell", "before tell", "after keep", "end Switch", "begin Start"} <= set(killed)
    sys.stderr.write(f"\n{len(killed)} boundaries: {', '.join(killed)}\n")
