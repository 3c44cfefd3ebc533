"""Dockerfiles for Python projects that have none."""

from __future__ import annotations

import pytest

from geartrain.render.dockerfile import Kind, Project, dockerfile
from tests.conftest import Golden

SERVER = ("uvicorn", "main:app", "--host", "0.0.0.0", "--port", "8000")
CASES = {
    "uv": Project(kind=Kind.UV, python="3.13", files=("pyproject.toml", "uv.lock"),
                  command=SERVER, port=8000),
    "uv-package": Project(kind=Kind.UV, python="3.13", files=("pyproject.toml", "uv.lock"),
                          packaged=True, command=SERVER, port=8000),
    "uv-workspace": Project(kind=Kind.UV, python="3.12"),
    "requirements": Project(kind=Kind.REQUIREMENTS, python="3.12",
                            files=("requirements.txt", "more.txt"), command=("python", "app.py")),
    "requirements-of-itself": Project(kind=Kind.REQUIREMENTS, python="3.12"),
    "project": Project(kind=Kind.PROJECT, python="3.11", packaged=True),
    "poetry": Project(kind=Kind.POETRY, python="3.13", files=("pyproject.toml", "poetry.lock"),
                      packaged=True),
    "pipenv": Project(kind=Kind.PIPENV, python="3.13", files=("Pipfile", "Pipfile.lock")),
}  # fmt: skip


def test_each_kind(golden: Golden) -> None:
    golden(
        "dockerfile", {f"{name}.Dockerfile": (0o644, dockerfile(p)) for name, p in CASES.items()}
    )


def test_the_older_builder_has_no_mounts() -> None:
    assert "--mount" not in dockerfile(CASES["uv"], caches=False)


@pytest.mark.parametrize("name", ["a b", "$(id)", "x\nRUN y", "-r", "", "a;b", "a`b`"])
def test_a_name_never_becomes_more_than_a_name(name: str) -> None:
    with pytest.raises(ValueError, match="cannot stand in a Dockerfile"):
        dockerfile(Project(kind=Kind.REQUIREMENTS, python="3.12", files=(name,)))


def test_a_command_is_words_and_never_lines() -> None:
    made = dockerfile(Project(kind=Kind.UV, python="3.12", command=('a"b', "c\nRUN d")))
    assert made.splitlines()[-1] == r'CMD ["a\"b", "c\nRUN d"]'
