"""A lock of a process that outlives its command: one has it, and others look whether one has."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import geartrain
from geartrain.engine import aside


def test_who_only_looks_keeps_nobody_from_taking_a_lock(tmp_path: Path) -> None:
    lock, over = tmp_path / "lock", threading.Event()

    def look() -> None:
        while not over.is_set():
            aside.held(lock)

    looking = [threading.Thread(target=look) for _ in range(4)]
    for one in looking:
        one.start()
    try:
        for _ in range(200):
            fd = aside.take(lock)
            assert fd is not None
            assert aside.held(lock)
            assert aside.take(lock) is None
            os.close(fd)
    finally:
        over.set()
        for one in looking:
            one.join()
    assert not aside.held(lock)


HANDS_OVER = """
import os, signal, sys, threading
from pathlib import Path
from geartrain.engine import aside

folder = Path(sys.argv[1])
own = open(folder / "own", "w")
signal.signal(signal.SIGTERM, lambda *_: None)
os.nice(7)
threading.Timer(60, print).start()  # as a progress line has one

def work():
    said = sorted(os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.exists())
    me = Path("/proc/self/comm").read_text(), os.getpriority(os.PRIO_PROCESS, 0), os.getcwd()
    print("it works:", *said, *me, file=sys.stderr, flush=True)
    with open(folder / "go on") as pipe:
        pipe.read()
    raise OSError("its own trouble")

fd = aside.take(folder / "lock")
aside.hand_over(work, folder / "log", fd, "gear test")
print(aside.pid(folder / "lock"), flush=True)
os._exit(0)
"""


@pytest.fixture
def heir(tmp_path: Path) -> Iterator[int]:
    """The pid of what took over from a process that has ended."""
    os.mkfifo(tmp_path / "go on")
    done = subprocess.run(
        [sys.executable, "-c", HANDS_OVER, tmp_path], capture_output=True, text=True, timeout=30,
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(Path(geartrain.__file__).parents[1])},
    )  # fmt: skip
    assert done.stderr == ""
    pid = int(done.stdout)
    seen = os.pidfd_open(pid)
    try:
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        select.select([seen], [], [], 30)
        os.close(seen)


def let_go(folder: Path) -> None:
    """It goes on, and has done so when this is back."""
    with (folder / "go on").open("w"):
        pass


def test_a_copy_goes_on_when_the_process_has_ended(tmp_path: Path, heir: int) -> None:
    assert aside.held(tmp_path / "lock")
    assert aside.pid(tmp_path / "lock") == heir
    assert os.getsid(heir) != os.getsid(0)

    ended = os.pidfd_open(heir)
    let_go(tmp_path)
    assert select.select([ended], [], [], 30)[0]
    os.close(ended)
    assert not aside.held(tmp_path / "lock")
    said = (tmp_path / "log").read_text()
    assert "it works: " in said
    assert said.rstrip().endswith("OSError: its own trouble")


def test_a_copy_has_nothing_of_the_process_but_its_priority(tmp_path: Path, heir: int) -> None:
    ended = os.pidfd_open(heir)
    let_go(tmp_path)
    assert select.select([ended], [], [], 30)[0]
    os.close(ended)
    said = (tmp_path / "log").read_text().partition("\nTraceback")[0].split("it works: ")[1]
    files, comm, rest = said.partition(" gear test")
    assert comm
    assert set(files.split()) == {os.devnull, str(tmp_path / "lock"), str(tmp_path / "log")}
    assert rest.split() == ["7", "/"]


def test_a_signal_ends_a_copy_whatever_the_process_did_about_it(tmp_path: Path, heir: int) -> None:
    ended = os.pidfd_open(heir)
    os.kill(heir, signal.SIGTERM)
    assert select.select([ended], [], [], 30)[0]
    os.close(ended)
    assert not aside.held(tmp_path / "lock")
