"""The machine itself, as files and figures say it."""

from __future__ import annotations

from pathlib import Path

import pytest

from geartrain.render import systemd
from geartrain.run import Completed
from geartrain.server.doctor import machine

GB = 10**9


def put(root: Path, name: str, text: str = "") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_system_is_named(tmp_path: Path) -> None:
    put(tmp_path, "etc/os-release", 'ID=debian\nVERSION_ID="12"\n')
    assert machine.system(tmp_path).what == "Debian 12"
    put(tmp_path, "etc/os-release", 'ID=arch\nPRETTY_NAME="Arch Linux"\n')
    assert machine.system(tmp_path).what == "Arch Linux cannot be prepared by Geartrain"


@pytest.mark.parametrize(
    ("free", "total", "files", "ok"),
    [
        (50 * GB, 100 * GB, 0.9, True),
        (9 * GB, 100 * GB, 0.9, False),
        (1 * GB, 5 * GB, 0.9, False),
        (50 * GB, 100 * GB, 0.04, False),
    ],
)
def test_room(free: int, total: int, files: float, ok: bool) -> None:
    found = machine.room("Docker", Path("/x"), free=free, total=total, files=files)
    assert found.ok is ok
    assert f"{free // GB}.0 of {total // GB}.0 GB are free for Docker (/x)" in found.what
    assert "images prune" in found.remedy


def test_a_disk_is_told_once_with_all_that_is_on_it(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    places = {"a": tmp_path, "b": tmp_path / "b", "c": tmp_path / "none"}
    [found] = machine.disks(places)
    assert f"are free for a and b ({tmp_path})" in found.what


def test_a_pending_reboot(tmp_path: Path) -> None:
    for version in ("6.1.0-9-amd64", "6.1.0-31-amd64"):
        put(tmp_path, f"boot/vmlinuz-{version}")
    assert machine.reboot(tmp_path, "6.1.0-31-amd64").ok
    assert machine.reboot(tmp_path, "5.15-of-a-cloud").ok, "not booted from there"
    old = machine.reboot(tmp_path, "6.1.0-9-amd64")
    assert (old.ok, old.what) == (
        False, "the kernel 6.1.0-31-amd64 is installed, and 6.1.0-9-amd64 runs"
    )  # fmt: skip
    put(tmp_path, "run/reboot-required")
    assert machine.reboot(tmp_path, "6.1.0-31-amd64").what == "an update asks for a reboot"


def test_apps_that_nothing_brings_back(tmp_path: Path) -> None:
    assert list(machine.units(tmp_path)) == [], "without systemd it is not asked"
    (tmp_path / machine.SYSTEMD).mkdir(parents=True)
    [found] = machine.units(tmp_path)
    assert (found.ok, found.remedy) == (False, "gear server prepare makes systemd do it")


def test_a_machine_that_an_older_version_prepared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = Completed(argv=(), code=1, out="", err="")
    monkeypatch.setattr(machine, "run", lambda *_, **__: silent)
    (tmp_path / machine.SYSTEMD).mkdir(parents=True)
    put(tmp_path, f"etc/systemd/system/{systemd.BOOT}")
    found = {one.what.partition(" ")[0]: one for one in machine.units(tmp_path)}
    assert set(found) == set(systemd.ENABLED)
    assert "older Geartrain" in found[systemd.WATCH].what
    assert (found[systemd.WATCH].ok, found[systemd.WATCH].remedy) == (False, "gear server prepare")
