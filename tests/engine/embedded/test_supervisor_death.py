"""Whatever is killed, nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import geartrain
from geartrain.engine.embedded.supervisor.client import Client, connect, ensure
from geartrain.errors import GearError
from tests.engine.embedded.supervisor_lab import (
    DEAF,
    SLEEPS,
    Lab,
    alive,
    eventually,
    python,
)

DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    for fd in range(3):
        os.close(fd)
    os.execve(sys.executable, [sys.executable, "-S", "-E", "-c", HIDDEN], {})
print("forked", flush=True)
time.sleep(100)
"""


WITH_SOURCE = {**os.environ, "PYTHONPATH": str(Path(geartrain.__file__).parents[1])}
ORPHANED = """
import os, subprocess, sys
from pathlib import Path
from geartrain.engine.embedded.supervisor.stale import leftovers
releases, said = Path(sys.argv[1]), Path(sys.argv[2])
if os.fork():
    os._exit(0)
while os.getsid(0) in map(int, filter(str.isdigit, os.listdir("/proc"))):
    pass
mine = subprocess.Popen(["sleep", "100"], cwd=releases)
found = leftovers(releases.parent / "run")
mine.kill()
said.with_suffix(".new").write_text(f"{os.getsid(0)} {mine.pid} {found}")
said.with_suffix(".new").rename(said)
"""


def daemon(pids: Path, first: str = "") -> str:
    """A program with a grandchild in a session of its own and with an empty environment."""
    told = f"open({str(pids)!r}, 'w').write(str(os.getpid()))"
    hidden = f"import os, signal, time; {first}{told}; time.sleep(100)"
    return DAEMON.replace("HIDDEN", repr(hidden))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    yield made
    made.end()


@pytest.fixture
def full(lab: Lab, tmp_path: Path) -> tuple[Lab, list[int]]:
    """A supervisor with all kinds of programs, and the pids of everything."""
    pids = tmp_path / "hidden"
    lab.start(
        python("plain.1.1", SLEEPS),
        python("deaf.1.1", DEAF),
        python("daemon.1.1", daemon(pids)),
        python("failing.1.1", "raise SystemExit(1)", start_attempts=9),
    )
    lab.ready("plain.1.1", "daemon.1.1")
    hidden = int(eventually(lambda: pids.exists() and pids.read_text()))
    eventually(lambda: lab.log("deaf") == ["deaf"])
    return lab, [*lab.everything(), hidden]


def nothing_is_left(lab: Lab) -> None:
    assert not (lab.run / "supervisor.sock").exists()
    assert not (lab.run / "pids").exists()
    assert connect(lab.run) is None


def works_again(lab: Lab) -> None:
    client = ensure(lab.run, lab.logs)
    client.start([python("plain.1.1", SLEEPS)])
    assert client.ask("ready", names=["plain.1.1"])["instances"][0]["fine"]
    assert len(client.ask("observe")["instances"]) == 1
    client.close()


def test_an_orderly_end(full: tuple[Lab, list[int]]) -> None:
    lab, pids = full
    lab.client.ask("shutdown")
    lab.client.ended()
    eventually(lambda: not alive(pids))
    nothing_is_left(lab)
    works_again(lab)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_guard_is_an_orderly_end(full: tuple[Lab, list[int]], number: int) -> None:
    lab, pids = full
    os.kill(lab.pids()[0], number)
    eventually(lambda: not alive(pids))
    nothing_is_left(lab)


def test_a_guard_that_is_late_takes_nothing_from_the_next_one(lab: Lab, tmp_path: Path) -> None:
    pids = tmp_path / "hidden"
    lab.start(python("daemon.1.1", daemon(pids, "[signal.signal(n, 1) for n in (2, 15)]; ")))
    lab.ready("daemon.1.1")
    hidden = int(eventually(lambda: pids.exists() and pids.read_text()))
    guard, supervisor = lab.pids()
    os.kill(supervisor, signal.SIGKILL)
    eventually(lambda: not alive([supervisor]))
    works_again(lab)
    assert alive([guard, hidden])
    eventually(lambda: not alive([guard, hidden]))
    assert len(lab.begin().ask("observe")["instances"]) == 1


def test_kill_9_of_the_supervisor(full: tuple[Lab, list[int]]) -> None:
    lab, pids = full
    os.kill(lab.pids()[1], signal.SIGKILL)
    eventually(lambda: not alive(pids))
    nothing_is_left(lab)
    with pytest.raises(GearError, match="the supervisor ended while it was asked to observe"):
        lab.client.ask("observe")
    works_again(lab)


def test_kill_9_of_the_guard(full: tuple[Lab, list[int]]) -> None:
    lab, pids = full
    os.kill(lab.pids()[0], signal.SIGKILL)
    eventually(lambda: not alive(pids))
    assert connect(lab.run) is None
    works_again(lab)


def test_kill_9_of_both_and_then_the_next_start(lab: Lab) -> None:
    """The deaf one stays, as nobody is left to kill it; the next start finds it by its mark."""
    lab.start(python("plain.1.1", SLEEPS), python("deaf.1.1", DEAF))
    eventually(lambda: lab.log("deaf") == ["deaf"])
    lab.ready("plain.1.1")
    guard, supervisor, *programs = lab.everything()
    os.kill(guard, signal.SIGSTOP)
    os.kill(supervisor, signal.SIGKILL)
    os.kill(guard, signal.SIGKILL)
    deaf = eventually(lambda: len(alive(programs)) == 1 and alive(programs))
    client = ensure(lab.run, lab.logs)
    assert not alive(deaf)
    assert client.ask("observe")["instances"] == []
    client.close()
    works_again(lab)


def test_the_kernel_asks_programs_to_stop_when_both_are_killed(lab: Lab) -> None:
    lab.start(python("plain.1.1", SLEEPS))
    pid = lab.ready("plain.1.1")[0]["pid"]
    guard, supervisor = lab.pids()
    for one in (guard, supervisor):
        os.kill(one, signal.SIGSTOP)
    for one in (guard, supervisor):
        os.kill(one, signal.SIGKILL)
    eventually(lambda: not alive([pid]))


def test_what_this_command_runs_is_no_leftover(tmp_path: Path) -> None:
    """Not even when it was started by a job whose terminal and shell are gone."""
    for name in ("releases", "run"):
        (tmp_path / name).mkdir()
    said = tmp_path / "said"
    words = [sys.executable, "-c", ORPHANED, tmp_path / "releases", said]
    subprocess.run(words, start_new_session=True, check=True, env=WITH_SOURCE)
    eventually(said.exists)
    assert said.read_text().endswith(" []")


def test_killed_while_it_starts_them(tmp_path: Path) -> None:
    """At any moment of start-up."""
    for number, wait in enumerate((0.0, 0.01, 0.03, 0.06, 0.1)):
        lab = Lab(tmp_path / str(number))
        pids = lab.everything()
        lab.client._socket.sendall(b'{"op": "observe"}\n')
        lab.client.start([python(f"w.1.{n}", DEAF) for n in range(5)])
        time.sleep(wait)
        pids += lab.everything()
        os.kill(lab.pids()[1], signal.SIGKILL)
        eventually(lambda lab=lab: connect(lab.run) is None and not (lab.run / "pids").exists())
        eventually(lambda pids=pids: not alive(pids))


def test_a_lease_ends_everything_with_its_holder(full: tuple[Lab, list[int]]) -> None:
    lab, pids = full
    told, tells = os.pipe()
    child = os.fork()
    if not child:
        try:
            holder = Client(lab.run)
            holder.lease()
            os.write(tells, b"x")
            time.sleep(600)
        finally:
            os._exit(0)
    os.close(tells)
    assert os.read(told, 1), "it has the lease"
    os.close(told)
    state = lab.see("plain.1.1")["state"]
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert state == "ready"
    eventually(lambda: not alive(pids))
    nothing_is_left(lab)


def test_another_connection_that_ends_ends_nothing(lab: Lab) -> None:
    lab.start(python("plain.1.1", SLEEPS))
    Client(lab.run).close()
    assert lab.ready("plain.1.1")[0]["fine"]


def test_a_stale_socket_is_no_supervisor(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.end()
    lab.client.close()
    (lab.run / "supervisor.sock").touch()
    (lab.run / "pids").write_text("1 1\n")
    assert connect(lab.run) is None
    lab.begin()
    lab.end()


def test_one_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no such module >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(GearError, match="the supervisor did not start") as caught:
        Lab(tmp_path)
    assert caught.value.tail == ("no such module",)
