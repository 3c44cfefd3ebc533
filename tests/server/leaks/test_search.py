"""A search that has no time, that breaks off, or that has much to look at."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from geartrain.errors import InvalidError
from geartrain.release.git import Git, create
from geartrain.server.leaks import begin, refusal
from geartrain.server.leaks.begin import Beside
from geartrain.server.leaks.found import Answer, Found
from geartrain.server.leaks.refusal import judge
from geartrain.server.leaks.search import search
from tests.server.leaks.samples import GITHUB


@pytest.fixture
def committed(tmp_path: Path) -> Callable[[dict[str, str]], tuple[Git, str]]:
    """Make a commit of some files, which no ref of its repository has."""

    def commit(files: dict[str, str]) -> tuple[Git, str]:
        repository, work = tmp_path / "repo.git", tmp_path / "work"
        create(repository)
        for name, text in files.items():
            path = work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        git = Git(repository, work, tmp_path / "index")
        git("add", "--all")
        return git, git("commit-tree", "-m", "new", git("write-tree"))

    return commit


@contextmanager
def answering(said: bytes) -> Iterator[Beside]:
    """A search whose process has said something, and ended."""
    ours, its = os.pipe()
    os.write(its, said)
    os.close(its)
    with Beside() as beside:
        beside.out = beside.enter_context(os.fdopen(ours, "rb"))
        yield beside


def test_what_there_was_no_time_for_is_said(
    committed: Callable[[dict[str, str]], tuple[Git, str]],
) -> None:
    git, commit = committed({f"f{number}": f"{number}\n" for number in range(2000)})
    found = search(git, commit, 0.0)
    assert (found.files, found.searched) == (2000, 0)
    said: list[str] = []
    with answering(msgspec.json.encode(Answer(found=found))) as one:
        judge(one, said.append)
    assert "were searched for in 0 of 2,000 new files" in said[0]


def test_a_search_that_dies_is_said_and_lets_the_push_go_on() -> None:
    said: list[str] = []
    with answering(b"") as one:
        judge(one, said.append)
    assert "broke off: nothing is known" in said[0]


def test_a_search_that_takes_for_ever_is_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(refusal, "QUIET", 0.01)
    monkeypatch.setattr(refusal, "SECONDS", 0.01)
    monkeypatch.setattr(refusal, "GRACE", 0.05)
    fifo = tmp_path / "repo.git"
    fifo.mkdir()
    os.mkfifo(fifo / "HEAD")  # Git waits for what it says
    said: list[str] = []
    began = time.monotonic()
    with begin.begin(fifo, fifo / "objects", "0" * 40) as one:
        judge(one, said.append)
    assert time.monotonic() - began < 60
    with contextlib.suppress(OSError):  # Git may not wait any more
        os.close(os.open(fifo / "HEAD", os.O_WRONLY | os.O_NONBLOCK))
    assert said[0] == "  · searching the new files for keys and tokens"
    assert "broke off" in said[1]


def test_a_name_cannot_disguise_the_refusal(
    committed: Callable[[dict[str, str]], tuple[Git, str]],
) -> None:
    git, commit = committed({"a\x1b[2Kb.py": GITHUB})
    answer = msgspec.json.encode(Answer(found=search(git, commit, 60.0)))
    with answering(answer) as one, pytest.raises(InvalidError) as caught:
        judge(one, print)
    assert "\x1b" not in str(caught.value)
    assert "'a\\x1b[2Kb.py':1: GitHub Token" in str(caught.value)


def test_five_thousand_files_are_searched_in_seconds(
    committed: Callable[[dict[str, str]], tuple[Git, str]],
) -> None:
    text = "def function(argument: int) -> str:\n    return f'{argument} and more'\n" * 40
    git, commit = committed({f"src/f{n}.py": f"# {n}\n{text}" for n in range(5000)})
    began = time.process_time()
    found = search(git, commit, 600.0)
    assert found == Found(leaks=(), files=5000, searched=5000)
    assert time.process_time() - began < 20
