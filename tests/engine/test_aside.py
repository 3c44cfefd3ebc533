"""A lock of a process that outlives its command: one has it, and others look whether one has."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
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
import json, os, signal, sys, threading
from pathlib import Path
from geartrain.engine import aside
from geartrain.run import run

folder = Path(sys.argv[1])
own = open(folder / "own", "w")
signal.signal(signal.SIGTERM, lambda *_: None)
os.nice(7)
threading.Timer(60, print).start()  # as a progress line has one

def work():
    open_here = [os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.exists()]
    facts = {
        "open": sorted({path for path in open_here if path.startswith("/")}),
        "called": Path("/proc/self/comm").read_text().strip(),
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "folder": os.getcwd(),
        "caller": run(["printenv", "GEAR_CALLER"]).out.partition("-")[0],
    }
    print(json.dumps(facts), file=sys.stderr)
    with open(folder / "go on") as pipe:
        pipe.read()
    raise OSError("its own trouble")

fd = aside.take(folder / "lock")
aside.hand_over(work, folder / "log", fd, "gear test")
print(aside.pid(folder / "lock"), flush=True)
os._exit(0)
"""


@dataclass(frozen=True)
class Heir:
    """What took over from a process that has ended."""

    folder: Path
    pid: int
    process: int

    def goes_on(self) -> None:
        """Let it do the rest."""
        with (self.folder / "go on").open("w"):
            pass

    def has_ended(self) -> list[str]:
        """What it wrote until its end."""
        assert select.select([self.process], [], [], 30)[0]
        return (self.folder / "log").read_text().splitlines()


@pytest.fixture
def heir(tmp_path: Path) -> Iterator[Heir]:
    os.mkfifo(tmp_path / "go on")
    done = subprocess.run(
        [sys.executable, "-c", HANDS_OVER, tmp_path], capture_output=True, text=True, timeout=30,
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(Path(geartrain.__file__).parents[1])},
    )  # fmt: skip
    assert done.stderr == ""
    pid = int(done.stdout)
    process = os.pidfd_open(pid)
    try:
        yield Heir(tmp_path, pid, process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        select.select([process], [], [], 30)
        os.close(process)


def test_a_copy_goes_on_when_the_process_has_ended(heir: Heir) -> None:
    lock = heir.folder / "lock"
    assert aside.held(lock)
    assert aside.pid(lock) == heir.pid
    assert os.getsid(heir.pid) == os.getpgid(heir.pid) != os.getsid(0)
    heir.goes_on()
    assert heir.has_ended()[-1] == "OSError: its own trouble"
    assert not aside.held(lock)


def test_a_copy_has_nothing_of_the_process_but_its_priority(heir: Heir) -> None:
    heir.goes_on()
    assert json.loads(heir.has_ended()[0]) == {
        "open": sorted((os.devnull, str(heir.folder / "lock"), str(heir.folder / "log"))),
        "called": "gear test",
        "nice": 7,
        "folder": "/",
        # What a killed command has started is ended by the next one.
        "caller": str(heir.pid),
    }


def test_a_signal_ends_a_copy_whatever_the_process_did_about_it(heir: Heir) -> None:
    with (heir.folder / "go on").open("w"):  # it is at work
        os.kill(heir.pid, signal.SIGTERM)
        heir.has_ended()
    assert not aside.held(heir.folder / "lock")
