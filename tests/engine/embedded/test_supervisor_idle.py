"""What an idle supervisor costs."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.engine.embedded.supervisor_lab import SLEEPS, Lab, python

MEMORY = 40 * 2**20
SECONDS = 2.0
WINDOWS = 5  # it may still be at what came before


def resident(pid: int) -> int:
    """VmRSS in bytes (proc(5))."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def ticks(pid: int) -> int:
    """utime + stime."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_it_is_small_and_idle(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    try:
        lab.start(*(python(f"w.1.{n}", SLEEPS) for n in range(3)))
        lab.ready("w.1.0", "w.1.1", "w.1.2")
        pids = lab.pids()
        assert sum(map(resident, pids)) <= MEMORY
        used = []
        while not used or used[-1] > 0.01 * SECONDS:
            assert len(used) < WINDOWS, f"it is never idle: {used}"
            before = sum(map(ticks, pids))
            time.sleep(SECONDS)
            used.append((sum(map(ticks, pids)) - before) / os.sysconf("SC_CLK_TCK"))
    finally:
        lab.end()
