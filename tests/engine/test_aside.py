"""A lock of a process that outlives its command: one has it, and others look whether one has."""

from __future__ import annotations

import os
import threading
from pathlib import Path

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
