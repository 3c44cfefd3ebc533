"""A release that cannot work: the push is rejected with the reason, and nothing has changed."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.broken import SAID, assert_told, impatient
from tests.cli.running import APPS, requests_all_the_while
from tests.server.disks import fill, mounted
from tests.server.engines import Embedded, app_on
from tests.server.pushing import Clone

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

EATS = "eaten = []\nwhile True:\n    eaten.append(b'x' * 2**20)\n"
ENGINES = ["embedded", pytest.param("docker", marks=pytest.mark.docker)]


@pytest.fixture(params=ENGINES, scope="module")
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Clone, Embedded]]:
    """An app that is live on each engine, for what fails to take its place."""
    if request.param == "docker":
        request.getfixturevalue("docker_daemon")
    with app_on(request.param, tmp_path_factory.mktemp(request.param)) as (shop, seen):
        shop.push()
        shop.git("branch", "first")
        yield shop, seen


@pytest.fixture
def shop(place: tuple[Clone, Embedded]) -> Iterator[Clone]:
    """Whatever a test pushes to it, release 1 goes on answering, and nothing else is left."""
    clone, seen = place
    clone.git("checkout", "--quiet", "--force", "-B", "main", "first")
    clone.git("clean", "-fdxq")
    with requests_all_the_while(clone) as answers:  # type: ignore[arg-type]  # it asks alike
        yield clone
    assert set(answers()) == {(200, "hello 1\n")}
    assert clone.remote() == clone.git("rev-parse", "first").out.strip()
    assert seen.running() == ["edge", "web.1.1"]
    assert seen.left_over(1) == []
    assert not (clone.state / "incoming").exists()
    assert not (clone.state / "check").exists()
    assert clone.gear("converge", "--json").json()[0]["steps"] == []


def compose(shop: Clone, more: str) -> None:
    text = (shop.folder / "docker-compose.yml").read_text()
    shop.write("docker-compose.yml", text + more)
    shop.commit()


@pytest.mark.parametrize("app", SAID)
def test_apps_that_fail(shop: Clone, app: str) -> None:
    shutil.copytree(APPS / "broken" / app, shop.folder, dirs_exist_ok=True)
    impatient(shop.folder, app)
    commit = shop.commit(app)
    said = shop.refused()
    last = shop.events()[0]
    assert (last["what"], last["commit"]) == ("failed", commit)
    assert_told(said, app, last["release"])
    assert "release 1 goes on serving" in said


def test_one_that_takes_requests_and_never_answers(shop: Clone) -> None:
    text = (shop.folder / "docker-compose.yml").read_text()
    quick = '    healthcheck: { test: "true", start_period: 3s }\n    x-gear:\n'
    text = text.replace("health: /", "health: /hang").replace("    x-gear:\n", quick)
    shop.write("docker-compose.yml", text)
    shop.commit("hangs")
    said = shop.refused()
    assert "no answer to GET /hang on " in said
    assert "it listens on" not in said, "it does so on the right port"
    assert "    hello 1 listens on 8080" in said


def test_a_check_that_fails(shop: Clone) -> None:
    compose(shop, "      check: python -c \"print('2 tests failed'); raise SystemExit(3)\"\n")
    said = shop.refused()
    assert "the check command of web failed: ended with exit code 3" in said
    assert "    2 tests failed" in said
    assert "switch" not in said


def test_a_check_that_is_not_there(shop: Clone) -> None:
    compose(shop, "      check: no-such-program --all\n")
    assert "no-such-program" in shop.refused()


def test_variables_are_asked_for_before_anything_is_built(shop: Clone) -> None:
    compose(shop, "    environment: { A: '${STRIPE_KEY}', B: '${MAIL_HOST:?for mails}' }\n")
    said = shop.refused()
    assert "STRIPE_KEY" in said
    assert "MAIL_HOST" in said
    assert "build" not in said


def test_requirements_that_are_not_to_be_had(shop: Clone) -> None:
    shop.write("requirements.txt", "./no-such-folder\n")
    dockerfile = shop.folder / "Dockerfile"
    text = dockerfile.read_text().replace(
        "COPY . .", "COPY . .\nRUN pip install -r requirements.txt"
    )
    shop.write("Dockerfile", text)
    shop.commit("requirements")
    said = shop.refused()
    assert "no-such-folder" in said
    assert "Dockerfile:5" in said or "requirements.txt" in said


@pytest.mark.parametrize("place", ENGINES[1:], indirect=True)
class TestInContainers:
    def test_a_build_that_fails(self, shop: Clone) -> None:
        text = (shop.folder / "Dockerfile").read_text()
        lines = "".join(f"RUN echo step {number}\n" for number in range(3))
        shop.write("Dockerfile", f"{text}{lines}RUN echo no compiler here && exit 7\n")
        shop.commit("does not build")
        said = shop.refused()
        assert "Dockerfile:10: the build of web failed" in said
        assert "ended with 7" in said
        assert "    no compiler here\n" in said
        assert "    step 2" not in said

    def test_a_dockerfile_that_is_none(self, shop: Clone) -> None:
        shop.write("Dockerfile", "FROM python:3.12-slim\nRUNN pip install .\n")
        shop.commit("no Dockerfile")
        said = shop.refused()
        assert "Dockerfile:2" in said
        assert "RUNN" in said

    @pytest.mark.parametrize("when", ["start", "check", "release"])
    def test_running_out_of_memory(self, shop: Clone, when: str) -> None:
        shop.write("eats.py", EATS)
        line = f"      {when}: python eats.py\n" if when != "start" else ""
        compose(shop, line + "    mem_limit: 48m\n")
        if when == "start":
            shop.write("app.py", EATS)
            shop.commit("eats")
        said = shop.refused()
        assert "was killed: out of memory (its limit is 48 MB)" in said, said


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
@pytest.mark.parametrize("engine", ENGINES)
def test_a_host_whose_disk_is_full(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if engine == "docker":
        request.getfixturevalue("docker_daemon")
    disk, needs = tmp_path / "disk", 64 if engine == "embedded" else 256
    with mounted(disk, "600m"), app_on(engine, disk) as (shop, seen):
        shop.push()
        shop.version("2")
        for leave in (50 * 2**20, 2**20, 0):
            filler = fill(disk, leave)
            with requests_all_the_while(shop) as answers:  # type: ignore[arg-type]
                done = shop.push(code=1)
            assert set(answers()) == {(200, "hello 1\n")}
            filler.unlink()
            told = re.search(r"(\d+) (?:of \d+ )?MB are free[,:] (.*)", done.err)
            assert told, done.err
            assert int(told[1]) <= leave // 2**20
            what = {f"and a release needs {needs} MB"}
            if not leave:  # it may not even get as far as the measuring
                what.add("the disk is full; make room and run the same again")
            assert told[2] in what
            assert seen.running() == ["edge", "web.1.1"]
        shop.push()
        assert shop.body() == "hello 2\n"
