"""What a supervisor and a guard that were both killed have left."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from geartrain.engine.descent import descendants, send, state

MARK = "GEAR_HOST_RUN"


def end_leftovers(run: Path) -> None:
    """End processes of a host whose supervisor is gone, and remove its socket.

    They are found by the mark in their environment, or, where a program writes
    its title over that (nginx, PostgreSQL, setproctitle), by where they work.
    The kernel has already asked each instance to stop when its supervisor died;
    this is for those that did not listen, or whose parent was killed too.

    Args:
        run: the host's folder of sockets.
    """
    end = time.monotonic() + 10.0
    number = signal.SIGTERM
    while (left := leftovers(run)) and time.monotonic() < end:
        send(left, number)
        time.sleep(0.1)
        if time.monotonic() > end - 7.0:
            number = signal.SIGKILL
    for name in ("supervisor.sock", "pids"):
        (run / name).unlink(missing_ok=True)


def leftovers(run: Path) -> list[int]:
    """Processes of a host that go on without their supervisor; nothing is done to them."""
    home = run.resolve().parent
    places = [str(home / name) for name in ("edge", "releases")]
    found = [*_marked(f"{MARK}={run.resolve()}".encode()), *_working_in(places)]
    # what this command runs meanwhile, such as uv in a release's folder
    own = set(descendants(os.getpid()))
    return [pid for pid in found if pid not in own]


def _marked(mark: bytes) -> list[int]:
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                pid = int(entry.name)
                found += [p for p in (pid, *descendants(pid)) if state(p) not in ("", "Z")]
        except OSError:
            continue
    return found


def _working_in(places: Sequence[str]) -> list[int]:
    """Processes that work below these folders, but for those of somebody's shell.

    An instance has a session of its own and no terminal; what it leaves behind
    belongs to a session whose leader has ended.
    """
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            cwd = str((entry / "cwd").readlink())
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        session, terminal = int(fields[3]), int(fields[4])
        if fields[0] == "Z" or terminal or not _below(cwd, places):
            continue
        if session == int(entry.name) or state(session) in ("", "Z"):
            found.append(int(entry.name))
    return found


def _below(path: str, places: Sequence[str]) -> bool:
    return any(path == place or path.startswith(f"{place}/") for place in places)
