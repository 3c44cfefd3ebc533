"""A host's repository, and projects to take snapshots of."""

from __future__ import annotations

from pathlib import Path

import pytest

from geartrain.release import git


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "host" / "repo.git"
    git.create(folder)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder
