"""Where a private host keeps what."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from geartrain.engine.embedded import host as hosts
from geartrain.engine.embedded.host import Host


def test_a_host_made_anew_does_not_take_over_the_data_of_a_deleted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As when root runs it in a folder that PostgreSQL's user may not enter.
    monkeypatch.setattr(hosts, "SYSTEM_DATA", tmp_path / "local")
    monkeypatch.setattr(hosts, "data_user", lambda: 65534)
    monkeypatch.setattr(hosts, "reachable", lambda *_: False)
    project = tmp_path / "shop"
    project.mkdir()

    def made() -> Path:
        host = Host(project)
        host.create()
        assert host.data.is_symlink()
        return host.data.resolve()

    first = made()
    (first / "postgres").mkdir()
    assert made() == first, "it stays where it is"
    shutil.rmtree(project / ".gear")
    second = made()
    assert second != first
    assert list(second.iterdir()) == []
    assert (first / "postgres").exists(), "nothing is deleted"
    (second / "postgres").mkdir()
    shutil.rmtree(project / ".gear")
    assert made() not in (first, second)
