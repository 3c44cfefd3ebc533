"""The history: one Git commit an event, of two writers one wins."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from geartrain.errors import Exit, GearError
from geartrain.release.git import Git, create
from geartrain.release.history import LOG, Desired, History


def events(repository: Path) -> list[str]:
    return Git(repository)("log", "--format=%s", LOG).splitlines()


def test_refs_that_git_packed_are_found_too(repository: Path) -> None:
    History(repository).append(Desired(live=1, last=1), "release 1 is live")
    git = Git(repository)
    loose = git.at(LOG)
    git("pack-refs", "--all")
    assert not (repository / LOG).exists()
    assert git.at(LOG) == loose != ""
    assert History(repository).desired().live == 1
    assert git.at("refs/heads/none") == ""


def test_nothing_has_happened_yet(repository: Path) -> None:
    assert History(repository).desired() == Desired(live=None, last=0)


def test_each_event_sets_the_desired_state(repository: Path) -> None:
    history = History(repository)
    history.append(Desired(live=1, last=1), "release 1 is live")
    history.append(Desired(live=1, last=2), "release 2 failed", note="web ended", release=2)
    assert History(repository).desired() == Desired(live=1, last=2)
    assert events(repository) == ["release 2 failed", "release 1 is live"]
    Git(repository)("fsck", "--strict", "--full")


def test_the_log_reads_well(repository: Path) -> None:
    history = History(repository)
    history.append(Desired(last=7), "release 7 failed", note="a\n\nb\n", release=7, seconds="0.42")
    body = Git(repository)("log", "-1", "--format=%B", LOG)
    assert body.strip() == "release 7 failed\n\na\n\nb\n\nRelease: 7\nSeconds: 0.42"
    trailers = Git(repository)("log", "-1", "--format=%(trailers:only,unfold)", LOG)
    assert trailers.split() == ["Release:", "7", "Seconds:", "0.42"]


def test_the_author_is_nobody_of_this_machine(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "me@example.com")
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    History(repository).append(Desired(live=1, last=1), "release 1 is live")
    assert Git(repository)("log", "-1", "--format=%ae", LOG) == "gear@localhost"


def test_of_two_writers_that_read_the_same_one_is_told(repository: Path) -> None:
    one, other = History(repository), History(repository)
    one.desired()
    other.desired()
    one.append(Desired(live=1, last=1), "release 1 is live")
    with pytest.raises(GearError, match="somebody else changed this host's history") as caught:
        other.append(Desired(live=2, last=2), "release 2 is live")
    assert caught.value.code is Exit.BUSY
    assert events(repository) == ["release 1 is live"]
    assert other.desired().live == 1
    other.append(Desired(live=2, last=2), "release 2 is live")
    assert History(repository).desired().live == 2


def test_many_writers_at_once_lose_no_event(repository: Path) -> None:
    won: list[int] = []
    told: list[Exit] = []
    start = threading.Barrier(6)

    def write(number: int) -> None:
        history = History(repository)
        history.desired()
        start.wait()
        try:
            history.append(Desired(live=number, last=number), f"release {number} is live")
        except GearError as error:
            told.append(error.code)
        else:
            won.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert told == [Exit.BUSY] * 5
    assert events(repository) == [f"release {won[0]} is live"]
    assert History(repository).desired().live == won[0]


@pytest.mark.parametrize(
    "note", ["\0\x1b[31mred", "\udcff", "Release: 99", "-- \n# comment", "a" * 100_000]
)
def test_a_dying_program_s_last_words_are_kept(repository: Path, note: str) -> None:
    history = History(repository)
    history.append(Desired(last=1), "release 1 failed", note=note, release=1)
    body = Git(repository)("log", "-1", "--format=%B", LOG)
    assert "\x1b" not in body
    assert note.strip("\0\x1b\udcff\n -")[:10] in body
    trailer = Git(repository)("log", "-1", "--format=%(trailers:key=Release,valueonly)", LOG)
    assert trailer.split()[-1] == "1"
    Git(repository)("fsck", "--strict")


def test_a_lock_that_a_killed_git_left_is_no_end(repository: Path) -> None:
    history = History(repository)
    history.append(Desired(live=1, last=1), "release 1 is live")
    lock = repository / f"{LOG}.lock"
    lock.touch()
    os.utime(lock, (time.time() - 60, time.time() - 60))
    history.append(Desired(live=2, last=2), "release 2 is live")
    assert History(repository).desired().live == 2


def test_a_damaged_history_is_not_taken_for_an_empty_one(repository: Path) -> None:
    History(repository).append(Desired(live=1, last=1), "release 1 is live")
    blob = Git(repository)("rev-parse", f"{LOG}:state.json")
    file = repository / "objects" / blob[:2] / blob[2:]
    file.chmod(0o644)
    file.write_bytes(b"")
    with pytest.raises(GearError, match="the history cannot be read") as caught:
        History(repository).desired()
    assert "fsck" in caught.value.remedy


def test_who_reads_it_while_it_is_made_the_first_time_waits(tmp_path: Path) -> None:
    folder = tmp_path / "host" / "repo.git"
    together = threading.Barrier(6)

    def look(_: int) -> Desired:
        together.wait()
        create(folder)
        return History(folder).desired()

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(look, range(6))) == [Desired()] * 6
    History(folder).append(Desired(live=1, last=1), "release 1 is live")
    assert History(folder).desired().live == 1
