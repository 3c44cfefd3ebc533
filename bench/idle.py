"""What Geartrain itself costs while nothing happens."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure
from bench.project import project

IDLE = 10.0


def measure(runs: int) -> Iterator[Figure]:
    """Guard and supervisor, after a release and then left alone."""
    memory: list[float] = []
    shared: list[float] = []
    cpu: list[float] = []
    with project() as made:
        made.up()
        made.write_version("2")
        made.up()
        pids = [int(p) for p in (made.folder / ".gear" / "run" / "pids").read_text().split()]
        time.sleep(3)  # the old instances drain
        for _ in range(max(1, runs // 3)):
            before = sum(map(_cpu, pids))
            time.sleep(IDLE)
            cpu.append(100 * (sum(map(_cpu, pids)) - before) / IDLE)
            memory.append(sum(_kilobytes(pid, "Rss") for pid in pids) / 1024)
            shared.append(sum(_kilobytes(pid, "Pss") for pid in pids) / 1024)
    yield Figure(part="idle", name="resident, guard and supervisor", unit="MB",
                 values=tuple(memory), most=40.0)  # fmt: skip
    yield Figure(part="idle", name="the same, shared pages counted once", unit="MB",
                 values=tuple(shared))  # fmt: skip
    yield Figure(part="idle", name=f"processor over {IDLE:g} s", unit="%", values=tuple(cpu),
                 most=0.2)  # fmt: skip


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _kilobytes(pid: int, key: str) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(next(line for line in text.splitlines() if line.startswith(f"{key}:")).split()[1])
