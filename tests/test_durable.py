"""A file is the old text or the new one, whenever its writer is killed."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from geartrain import durable

TEXTS = [letter * 200_000 for letter in "ab"]


def test_a_killed_writer_leaves_the_old_text_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "state"
    began = time.monotonic()
    for text in TEXTS:
        durable.write(path, text)
    both = time.monotonic() - began  # seconds; a disk may take its time
    chance = random.Random(1)
    seen: list[str] = []
    while len(seen) < 30 or set(seen) != {"a", "b"}:
        assert len(seen) < 300, f"only {seen[0]} in {len(seen)} kills"
        child = os.fork()
        if not child:
            while True:
                for text in TEXTS:
                    durable.write(path, text)
        time.sleep(chance.uniform(0.0, 2 * both))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        text = path.read_text()
        assert text in TEXTS
        seen.append(text[0])
    durable.write(path, "whole")
    assert path.read_text() == "whole"


def test_two_threads_that_write_one_file_leave_what_one_of_them_said(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def say(text: str) -> None:
        for _ in range(200):
            durable.write(path, text)
            assert path.read_text() in TEXTS

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(say, text) for text in TEXTS]:
            done.result()
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_the_mode_is_as_asked_whatever_the_umask(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o777)
    before = os.umask(0o777)
    try:
        durable.write(path, "new", mode)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == mode


def test_a_failure_leaves_the_old_text_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "file"
    durable.write(path, "old")
    with pytest.raises(TypeError):
        durable.write(path, 5)  # type: ignore[arg-type]
    with pytest.raises(UnicodeEncodeError):
        durable.write(path, "\udcff")
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_link_in_its_place_is_replaced_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (tmp_path / "file").symlink_to(victim)
    durable.write(tmp_path / "file", "new")
    assert victim.read_text() == "untouched"
    assert not (tmp_path / "file").is_symlink()


def test_a_link_where_it_writes_first_is_refused(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (tmp_path / f".file.{os.getpid()}.new").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        durable.write(tmp_path / "file", "new")
    assert victim.read_text() == "untouched"


@pytest.mark.parametrize("able", [True, False], ids=["in one step", "on an older system"])
def test_two_folders_change_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, able: bool
) -> None:
    if not able:
        monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "says").write_text(name)
    durable.exchange(tmp_path / "a", tmp_path / "b")
    assert [(tmp_path / name / "says").read_text() for name in ("a", "b")] == ["b", "a"]
    assert {one.name for one in tmp_path.iterdir()} == {"a", "b"}


@pytest.mark.parametrize("many", [0, 100], ids=["the whole file system", "one by one"])
def test_a_whole_tree_is_written_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(durable, "MANY", many)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "file").write_text("x")
    (tmp_path / "deep" / "link").symlink_to("nowhere")
    durable.sync_tree(tmp_path)
    with pytest.raises(FileNotFoundError):
        durable.sync_system(tmp_path / "nowhere")
