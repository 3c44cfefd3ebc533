"""Where secrets lie that instances are given as files: in memory, and nobody else's."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from geartrain.engine import memory
from geartrain.engine.home import Home
from geartrain.engine.memory import Memory
from geartrain.errors import GearError
from tests.server.disks import mounted

KB = 1024


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Path]:
    """A file system in memory, with room for next to nothing."""
    place = tmp_path / "a tmpfs"
    with mounted(place, "64k"):
        yield place


@pytest.fixture
def host(tmp_path: Path) -> Path:
    folder = tmp_path / "host"
    folder.mkdir()
    return folder


@pytest.fixture
def usual(tmpfs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The usual places, of a machine of one's own."""
    shared = tmpfs / "shm"
    shared.mkdir(mode=0o777)
    monkeypatch.setattr(memory, "SHARED", shared)
    monkeypatch.setattr(memory, "SYSTEM", tmpfs / "run-geartrain")
    return tmpfs


def test_a_folder_of_this_users_in_memory(usual: Path, host: Path) -> None:
    own = usual / "shm" / f"geartrain-{os.geteuid()}"
    folder = Memory(host, "shop").folder("releases/7")
    assert folder
    assert folder.is_relative_to(own)
    assert memory.in_memory(folder)
    while folder != own.parent:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        folder = folder.parent
    (usual / "run-geartrain").mkdir(mode=0o700)
    assert memory.place(host) == usual / "run-geartrain", "systemd has made it"


def test_what_is_in_it_goes_and_nothing_else(usual: Path, host: Path) -> None:
    shop, other = Memory(host, "shop"), Memory(host, "other")
    for one in (shop, other):
        for part in ("releases/1", "releases/2", "data/store"):
            folder = one.folder(part)
            assert folder
            memory.write(folder / "token", "x")
    home = Home(host, host / "apps" / "shop")
    home.memory = shop
    home.forget_releases({2, None})
    assert shop.parts("releases") == ("2",)
    assert shop.parts("data") == ("store",)
    shop.forget()
    assert shop.there("") == ()
    assert other.parts("releases") == ("1", "2")
    other.forget()
    assert list(memory.place(host).iterdir()) == []  # type: ignore[union-attr]


def test_where_it_was_before_is_swept_too(usual: Path, host: Path) -> None:
    """A host that was begun by hand, and then prepared."""
    shop = Memory(host, "shop")
    before = shop.folder("releases/1")
    (usual / "run-geartrain").mkdir(mode=0o700)
    now = shop.folder("releases/1")
    assert before
    assert now
    assert before != now
    assert shop.holds(before / "token")
    shop.forget()
    assert not before.exists()
    assert not now.exists()


@pytest.mark.parametrize("what", ["a link", "another user", "by others", "no folder"])
def test_what_somebody_else_planted_is_refused(usual: Path, host: Path, what: str) -> None:
    own = usual / "shm" / f"geartrain-{os.geteuid()}"
    elsewhere = usual / "elsewhere"
    elsewhere.mkdir()
    match what:
        case "a link":
            own.symlink_to(elsewhere)
        case "another user":
            own.mkdir()
            os.chown(own, 12345, 12345)
        case "by others":
            own.mkdir()
            own.chmod(0o777)
        case "no folder":
            own.write_text("")
    with pytest.raises(GearError, match=what) as caught:
        Memory(host, "shop").folder("releases/1")
    assert str(own) in str(caught.value)
    assert list(elsewhere.iterdir()) == []
    Memory(host, "shop").forget()
    assert own.lstat(), "and left alone"


def test_a_link_below_is_refused(usual: Path, host: Path) -> None:
    folder = Memory(host, "shop").folder("releases")
    elsewhere = usual / "elsewhere"
    elsewhere.mkdir()
    assert folder
    (folder / "7").symlink_to(elsewhere)
    with pytest.raises(GearError, match="is a link"):
        Memory(host, "shop").folder("releases/7")


def test_a_place_that_is_named_must_be_in_memory(usual: Path, host: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir(mode=0o700)
    if memory.in_memory(disk):
        pytest.skip("the tests' own folder is in memory")
    with pytest.raises(GearError, match="is on a disk"):
        memory.choose(host, disk)
    named = usual / "named"
    named.mkdir(mode=0o700)
    memory.choose(host, named)
    assert memory.place(host) == named
    (host / memory.FILE).write_text(f"{disk}\n")
    with pytest.raises(GearError, match="is on a disk"):
        Memory(host, "shop").folder("releases/1")


def test_without_memory_the_folder_of_state_has_them(
    host: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    monkeypatch.setattr(memory, "SHARED", disk)
    monkeypatch.setattr(memory, "SYSTEM", disk / "none")
    if memory.in_memory(disk):
        pytest.skip("the tests' own folder is in memory")
    home = Home(host, host / "apps" / "shop")
    home.memory = Memory(host, "shop")
    assert home.private("releases/7") == host / "apps" / "shop" / "releases" / "7"
    assert list(disk.iterdir()) == []


def test_a_file_is_written_when_it_differs_and_in_place_of_an_empty_folder(usual: Path) -> None:
    file = usual / "token"
    file.mkdir()  # Docker's, in place of a file that it did not find
    memory.write(file, "one", 0o444)
    before = file.stat()
    assert stat.S_IMODE(before.st_mode) == 0o444
    memory.write(file, "one", 0o444)
    assert file.stat().st_ino == before.st_ino, "who has it mounted sees it"
    memory.write(file, "two", 0o444)
    assert file.read_text() == "two"
    full = usual / "folder"
    (full / "x").mkdir(parents=True)
    with pytest.raises(GearError, match="secrets cannot be written"):
        memory.write(full, "one")


def test_no_room(usual: Path, host: Path) -> None:
    folder = Memory(host, "shop").folder("releases/1")
    assert folder
    memory.write(folder / "small", "x")
    with pytest.raises(GearError, match="the memory that secrets are kept in is full") as caught:
        memory.write(folder / "large", "x" * 128 * KB)
    assert "df -h" in caught.value.remedy
    assert [path.name for path in folder.iterdir()] == ["small"], "and no half of it"


def test_an_app_that_goes_takes_nothing_from_one_that_comes(usual: Path, host: Path) -> None:
    def come_and_go(name: str) -> None:
        app = Memory(host, name)
        for _ in range(300):
            folder = app.folder("releases/1")
            assert folder
            app.forget()

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(come_and_go, name) for name in ("shop", "blog", "wiki")]:
            done.result()
