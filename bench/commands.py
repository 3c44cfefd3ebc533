"""Commands that people wait for, beside a Python that does nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from bench.figures import Figure
from bench.project import CLONE, ENVIRONMENT, GEAR, project, seconds


def measure(runs: int) -> Iterator[Figure]:
    """From the clone (`./gear`) where it was set up, and as a module."""
    ways = {"python -m": GEAR}
    if (CLONE / ".venv" / "bin" / "python").exists():
        ways["./gear"] = (str(CLONE / "gear"),)
    with project() as made:
        made.up()
        commands = {
            "--version": (("--version",), 80.0),
            "ps": (("ps",), 150.0),
            "up -d, nothing to do": (("up", "-d"), None),
            "plan, nothing to do": (("plan",), None),
        }
        for name, (words, most) in commands.items():
            for way, gear in ways.items():
                mine: list[float] = []
                empty: list[float] = []
                for run in range(runs + 1):
                    bare = seconds([sys.executable, "-c", ""])
                    took = seconds([*gear, *words], cwd=made.folder, env=ENVIRONMENT)
                    if run:
                        mine.append(1000 * took)
                        empty.append(1000 * bare)
                yield Figure(part="command", name=f"{way} {name}", unit="ms", values=tuple(mine),
                             floor=tuple(empty), most=most)  # fmt: skip
