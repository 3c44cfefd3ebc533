"""The new project is deployed by `git push`, and its own tests decide."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import until
from tests.links.conftest import passable
from tests.links.live import Live, Person, edit
from tests.ports import free_port
from tests.server.pushing import HostFolder

pytestmark = [pytest.mark.links, pytest.mark.timeout(400)]


@pytest.fixture
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostFolder]:
    place = tmp_path_factory.mktemp("pushed")
    passable(place)
    made = HostFolder(place / "host")
    made.gear("host", "init", "--engine", "embedded", "--host-dir", made.folder)
    try:
        yield made
    finally:
        made.finish()


def push(host: HostFolder, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", "push", "live", "main"], cwd=folder, capture_output=True, text=True, check=False,
        env=host.environment(), timeout=300,
    )  # fmt: skip


def commit(folder: Path, why: str) -> None:
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    subprocess.run(["git", *who, "commit", "-qam", why], cwd=folder, check=True)


def test_a_push_is_live_and_one_that_fails_its_tests_is_not(host: HostFolder) -> None:
    remote = host.create("shop")
    project = Live(host.folder.parent, free_port())
    project.gear("new", "shop")
    shop = project.folder / "shop"
    edit(shop, "docker-compose.yml", '"80:80"', f'"127.0.0.1:{project.port}:80"')
    commit(shop, "Take another port")
    subprocess.run(["git", "remote", "add", "live", remote], cwd=shop, check=True)

    first = push(host, shop)
    assert first.returncode == 0, first.stderr
    assert "check backend on throwaway data services" in first.stderr
    person = Person("localhost", project.port)
    person.sign_up()
    slug = person.link("https://example.com/pushed")
    assert person.get(f"/l/{slug}").status == 302
    until(lambda: person.clicks(slug) == 1, "it is counted")

    edit(shop, "backend/app/passwords.py", "WRONG_A_MINUTE = 20", "WRONG_A_MINUTE = 2000")
    commit(shop, "Let everybody guess")
    second = push(host, shop)
    assert second.returncode != 0
    assert "test_guessing_is_stopped" in second.stderr
    assert person.clicks(slug) == 1, "the first one goes on, with its data"
