"""Folders that services share, which are made on first use."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from geartrain.app.model import Mount, MountKind
from geartrain.engine.docker.mounts import binds
from geartrain.engine.embedded.files import place_files
from geartrain.testing.apps import app, web

AT_ONCE = 6
MOUNT = Mount(kind=MountKind.BIND, source="shared", target="/shared")
SERVICE = replace(web(), mounts=(MOUNT,))


@pytest.mark.parametrize("engine", ["embedded", "docker"])
def test_services_that_start_at_once_share_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    home: Any = SimpleNamespace(untracked=tmp_path / "files", project=tmp_path)
    home.untracked.mkdir()
    together = threading.Barrier(AT_ONCE)
    real = Path.mkdir

    def mkdir(path: Path, *words: Any, **rest: Any) -> None:
        if path.name == "shared":
            together.wait(10)
        real(path, *words, **rest)

    def place(_: int) -> object:
        if engine == "docker":
            return binds(home, app(SERVICE), SERVICE, tmp_path, tmp_path / "src", {})
        return place_files(home, app(SERVICE), SERVICE, tmp_path / "1", {})

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        placed = list(pool.map(place, range(AT_ONCE)))
    assert all(one == placed[0] for one in placed)
    assert (tmp_path / "files" / "shared").is_dir()
