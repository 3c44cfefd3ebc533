"""`gear eject` writes what is used, and overwrites nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from geartrain.errors import Exit
from tests.cli.running import Project

COMPOSE = (
    "services:\n  web:\n    build: ./web\n    ports: ['80:8000']\n  other:\n    build: ./other\n"
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    for name in ("web", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "requirements.txt").write_text("fastapi\nuvicorn\n")
        (tmp_path / name / "main.py").write_text("app = FastAPI()\n")
    (tmp_path / "docker-compose.yml").write_text(COMPOSE)
    return Project(tmp_path, 0)


def test_it_writes_what_is_missing(project: Project) -> None:
    (project.folder / "other/Dockerfile").write_text("FROM scratch\n")
    assert project.gear("eject").out.splitlines() == [
        "wrote web/Dockerfile", "wrote web/.dockerignore",
    ]  # fmt: skip
    text = (project.folder / "web/Dockerfile").read_text()
    assert 'CMD ["uvicorn", "main:app", "--host", "0.0.0.0", "--port", "8000"]' in text
    assert (project.folder / "other/Dockerfile").read_text() == "FROM scratch\n"
    assert "nothing to write" in project.gear("eject").err


def test_a_file_that_is_there_stays(project: Project) -> None:
    (project.folder / "web/Dockerfile").write_text("FROM scratch\n")
    refused = project.gear("eject", "web", code=Exit.FAILED)
    assert "web/Dockerfile is there already" in refused.err
    assert (project.folder / "web/Dockerfile").read_text() == "FROM scratch\n"


def test_for_programs(project: Project) -> None:
    said = json.loads(project.gear("eject", "web", "--json").out)
    assert said == {"written": ["web/Dockerfile", "web/.dockerignore"]}


def test_what_cannot_be_ejected(project: Project) -> None:
    assert "no service nope" in project.gear("eject", "nope", code=Exit.INVALID).err
    (project.folder / "web/main.py").unlink()
    (project.folder / "web/main.py").write_text("print()\n")
    refused = project.gear("eject", "web", code=Exit.INVALID)
    assert "no command says how to start it" in refused.err
    assert not (project.folder / "web/Dockerfile").exists()
