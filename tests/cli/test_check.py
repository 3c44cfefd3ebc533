"""`gear check`: the app's own tests, on data services that nothing else uses."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Make
from tests.cli.running import Project, nothing_left

pytestmark = pytest.mark.slow

TABLE = "import os; print('in', os.environ['PGDATABASE'])"
COMPOSE = """\
services:
  web:
    build: .
    ports: ["{port}:8080"]
    x-gear:
      health: /
      check: {check}
  postgres:
    image: postgres:18
"""


def project_with(make: Make, check: str) -> Project:
    project = make("hello")
    text = COMPOSE.format(port=project.port, check=check)
    (project.folder / "docker-compose.yml").write_text(text)
    return project


def test_it_passes_beside_what_runs_and_leaves_nothing(make: Make) -> None:
    project = project_with(make, "['python', '-c', \"" + TABLE + '"]')
    project.up()
    before = {i["name"]: i["pid"] for i in project.instances()}
    done = project.gear("check")
    assert done.out == "in hello\n"
    assert "web: check passed after " in done.err
    assert {i["name"]: i["pid"] for i in project.instances()} == before
    assert not (project.folder / ".gear" / "check").exists()


def test_its_failure_is_the_exit_code(make: Make) -> None:
    project = project_with(make, "echo one of them fails; exit 4")
    done = project.gear("check", code=1)
    assert done.out == "one of them fails\n"
    assert "web: check failed: ended with exit code 4" in done.err
    nothing_left(project.folder)
    assert not (project.folder / ".gear" / "check").exists()


def test_an_app_without_one(make: Make) -> None:
    done = make("hello").gear("check", code=3)
    assert "no service says how it is tested" in done.err
    assert "x-gear.check" in done.err
