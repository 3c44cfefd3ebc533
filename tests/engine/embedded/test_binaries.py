"""Programs are copied to where the data services' user can reach them, once a version."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from geartrain.engine.embedded import binaries

AT_ONCE = 8


def test_databases_that_start_at_once_copy_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "packages" / "server"
    (package / "bin").mkdir(parents=True)
    (package / "bin" / "serve").write_text("it serves")
    shared = tmp_path / "shared"
    killed = shared / ".server-1.new" / "server"  # a copy that was cut off
    killed.mkdir(parents=True)
    (killed / "half").touch()
    monkeypatch.setattr(binaries, "SYSTEM_BINARIES", shared)
    monkeypatch.setattr(binaries, "data_user", lambda: 65534)
    monkeypatch.setattr(binaries, "reachable", lambda *_: False)
    monkeypatch.setattr(binaries, "version", lambda _: "1")
    monkeypatch.setattr(binaries, "_of_package", lambda _, below: package / below)
    together = threading.Barrier(AT_ONCE)

    def get() -> str:
        together.wait()
        return binaries._shared("server", "bin/serve").read_text()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        got = [pool.submit(get) for _ in range(AT_ONCE)]
    assert [one.result() for one in got] == ["it serves"] * AT_ONCE
    assert not (shared / "server-1" / "server" / "half").exists()
    assert sorted(place.name for place in shared.iterdir()) == [".server-1.lock", "server-1"]
