"""`kill -9` of a release at every boundary: then converge, and exactly the right one is live.

On Docker, a part of the boundaries by default; `GEAR_KILLS=full` takes all of them, and
`GEAR_KILLS=fine` also the moments at which the release starts a program, on either engine.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import SOURCE, until
from tests.server.engines import Embedded, app_on
from tests.server.pushing import Clone

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
HOW = os.environ.get("GEAR_KILLS", "")
COMMANDS = """\
      check: python -c "import os; assert os.environ['REDIS_HOST']"
      release: python -c "print('migrated')"
  redis: { image: "redis:7" }
"""
LAST = "begin watch"
VITAL = {"before tell", "after tell", "after keep", "end Switch", "begin Start"}
# Those between which a Docker host's state differs; the code around them is the same on both.
IN_DOCKER = {
    "after weigh", "after _give_checkout", "end Build", "end Check", "end Migrate", "end Start",
    "end Switch", "after tell", "end Retire", "before follow",
}  # fmt: skip


@pytest.fixture(
    params=["embedded", pytest.param("docker", marks=pytest.mark.docker)], scope="module"
)
def engine(request: pytest.FixtureRequest) -> str:
    if request.param == "docker":
        request.getfixturevalue("docker_daemon")
    return str(request.param)


@pytest.fixture
def place(engine: str, tmp_path: Path) -> Iterator[tuple[Clone, Embedded]]:
    with app_on(engine, tmp_path) as made:
        yield made


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
    place: tuple[Clone, Embedded], engine: str, tmp_path: Path
) -> None:
    shop, seen = place
    compose = (shop.folder / "docker-compose.yml").read_text()
    shop.write("docker-compose.yml", compose + COMMANDS)
    shop.commit("commands")
    shop.push()
    live, version, commits = 1, 1, {1: shop.head()}
    killed: list[str] = []
    temporary = tmp_path / "temporary"
    temporary.mkdir()

    def push(at: int) -> list[str]:
        """Push the next version and kill its release at a moment; the moments that it came to."""
        nonlocal version
        with_kills(shop)
        version += 1
        commits[-1] = shop.version(str(version))
        log = tmp_path / f"{version}.log"
        env = {"KILL_AT": str(at), "KILL_LOG": str(log), "KILL_FINE": HOW, "TMPDIR": str(temporary)}
        done = shop.push(code=None, env=env)

        def moments() -> list[str]:
            return log.read_text().splitlines()

        # The last ones come when Git has ended.
        until(lambda: len(moments()) == at or moments()[-1] == LAST, f"all moments\n{done.err}")
        return moments()

    def settle(moment: str) -> None:
        nonlocal live
        shop.gear("converge")
        known = shop.gear("releases", "--json").json()
        if known["live"] != live:
            live = known["live"]
            commits[live] = commits[-1]
        body = shop.git("show", f"{commits[live]}:VERSION").out
        assert shop.body() == f"hello {body}", moment
        assert shop.remote() == commits[live], "the branch is at what runs"
        expected = ["edge", "redis", f"web.{live}.1"]
        until(lambda: seen.running() == expected, f"{moment}: {expected}, not {seen.running()}")
        assert shop.gear("converge", "--json").json()[0]["steps"] == []
        until(lambda: not seen.left_over(live), f"{moment}: {seen.left_over(live)} is left")
        assert not (shop.state / "incoming").exists()
        assert not (shop.state / "check").exists(), moment
        assert not list(temporary.iterdir()), moment
        repository = shop.state / "repo.git"
        assert not list(repository.rglob("*.lock")), moment
        shop.git("--git-dir", str(repository), "fsck", "--strict", "--connectivity-only")
        if shop.remote() != shop.head():  # the next version grows on what is live
            shop.git("reset", "--quiet", "--hard", commits[live])

    began = time.monotonic()
    every = push(0)
    settle("none")
    chosen = set(IN_DOCKER if engine == "docker" and not HOW else every)
    for at, expected in enumerate(every, 1):
        if HOW != "fine" and expected not in chosen:
            continue
        moments = push(at)
        if len(moments) < at:  # what runs at once comes in no order
            break
        killed.append(moments[-1])
        settle(moments[-1])
    assert set(every) >= VITAL
    assert chosen & set(every) <= set(killed)
    sys.stderr.write(
        f"\n{engine}: {len(killed)} of {len(every)} boundaries"
        f" in {time.monotonic() - began:.0f} s: {', '.join(killed)}\n"
    )
