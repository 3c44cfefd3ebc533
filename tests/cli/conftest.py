"""Projects that `gear` runs; everything that was started is stopped, and seen to be gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.running import Project, Terminal, copy
from tests.ports import free_port

Make = Callable[..., Project]


def maker(parent: Path, made: list[Project]) -> Make:
    def make(app: str = "", name: str = "", where: Path | None = None, **env: str) -> Project:
        folder = (where or parent) / (name or app.rpartition("/")[2] or "shop")
        if app:
            copy(app, folder)
        else:
            folder.mkdir(parents=True)
        made.append(Project(folder, free_port(), env))
        return made[-1]

    return make


def finish(made: list[Project]) -> None:
    for project in made:
        project.finish()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Make a project from one of `tests/apps`, or an empty one."""
    made: list[Project] = []
    yield maker(tmp_path, made)
    finish(made)


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Make]:
    """The same for what all tests of a module use together."""
    made: list[Project] = []
    yield maker(tmp_path_factory.mktemp("shared"), made)
    finish(made)


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    """Open `gear` in a terminal."""
    opened: list[Terminal] = []

    def start(project: Project, *words: str | Path, **env: str) -> Terminal:
        opened.append(Terminal(project, *words, **env))
        return opened[-1]

    yield start
    for one in opened:
        one.close()
