"""One project for all tests here, made by `gear new` and brought up by `gear up`."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.links.live import Live, Person, edit
from tests.ports import free_port

ROOT = Path(__file__).parents[2]


def passable(place: Path) -> None:
    """Let PostgreSQL's own user through to a folder below the temporary one."""
    for folder in (place, *place.parents):
        if folder.stat().st_mode & stat.S_ISVTX:  # the one that is for everybody
            break
        folder.chmod(folder.stat().st_mode | 0o055)


@pytest.fixture(scope="package")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Two backends and two workers, so that whatever only works alone is found."""
    place = tmp_path_factory.mktemp("links")
    passable(place)
    project = Live(place, free_port())
    project.gear("new", "shop")
    project.folder = place / "shop"
    compose = "docker-compose.yml"
    edit(project.folder, compose, "stop_grace_period: 15s", "deploy: { replicas: 2 }")
    edit(project.folder, compose, "role: worker", "role: worker\n    deploy: { replicas: 2 }")
    try:
        project.up("--port", f"80={project.port}", timeout=300)
        yield project
    finally:
        project.finish()


@pytest.fixture(scope="package")
def person(live: Live) -> Person:
    return live.somebody()


@pytest.fixture(scope="session")
def tools() -> Path:
    """The `bin` folder of an environment with schemathesis and playwright."""
    folder = ROOT / ".venv-links"
    script = ROOT / "requirements" / "make_environment.sh"
    done = subprocess.run(
        [script, folder, ROOT / "requirements" / "links.txt"], capture_output=True, text=True,
        check=False, timeout=300, env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "bin"
