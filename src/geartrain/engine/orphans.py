"""Programs that a killed `gear` was waiting for: Git, initdb, uv.

They go on by themselves, and would write where the next command does.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from geartrain.engine.descent import send, state
from geartrain.run import MARK

WITHIN = 10.0  # seconds; SIGKILL takes milliseconds, unless a disk hangs


def end_orphans(caller: str) -> None:
    """End what was started for a process that is not there any more, and wait for it.

    Args:
        caller: its `geartrain.run.CALLER`.
    """
    mark = f"{MARK}={caller}".encode()
    end = time.monotonic() + WITHIN
    while (left := _marked(mark)) and time.monotonic() < end:
        send(left, signal.SIGKILL)
        time.sleep(0.01)


def _marked(mark: bytes) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return [pid for pid in found if state(pid) not in ("", "Z")]
