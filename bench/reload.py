"""How long an old worker must keep idle connections, so that a reload loses nothing.

Plain reloads of the running edge, one after the other, each once the old
workers have gone; under full speed, and under clients that think for a second.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figures import Figure
from tests.traffic.running import Project, children, load, project, until

VALUES = (0.0, 0.1, 0.25, 0.5, 1.0, 1.5, 2.5)  # seconds
CLIENTS = {
    "64 connections at full speed": {"connections": 64},
    "400 connections that think for 0.2 s": {"connections": 400, "think": 0.2},
    "400 connections that think for 1 s": {"connections": 400, "think": 1.0},
}


def measure(runs: int) -> Iterator[Figure]:
    """Ten reloads a run for each value."""
    with (
        TemporaryDirectory(prefix="gear-bench-") as place,
        project(Path(place) / "reload", drain="20s") as made,
    ):
        for words, options in CLIENTS.items():
            for value in VALUES:
                yield from _figures(made, value, words, options, 10 * runs)


def _figures(
    made: Project, value: float, words: str, options: dict[str, object], reloads: int
) -> Iterator[Figure]:
    conf = made.folder / ".gear" / "edge" / "current" / "nginx.conf"
    text = re.sub(
        r"keepalive_min_timeout [^;]+;",
        f"keepalive_min_timeout {int(value * 1000)}ms;",
        conf.read_text(),
    )
    conf.write_text(text)
    master = made.pid("edge")
    _reload(master)
    drains = []
    with load(made.address, "keep", **options) as traffic:
        traffic.more(2 * int(str(options["connections"])))
        for _ in range(reloads):
            drains.append(_reload(master))
            traffic.more(int(str(options["connections"])))
        totals = traffic.finish()
    lost = totals["sent"] - totals["fates"]["ok"]
    name = f"{words}, {value:g} s: lost of {totals['sent']} in {reloads} reloads"
    yield Figure(part="reload", name=name, unit="", values=(float(lost),))
    yield Figure(part="reload", name=f"{words}, {value:g} s: drained", unit="s",
                 values=tuple(drains))  # fmt: skip


def _reload(master: int) -> float:
    """Seconds until every old worker has gone."""
    old = set(children(master))
    began = time.monotonic()
    os.kill(master, signal.SIGHUP)
    until(lambda: not old & set(children(master)), "the old workers end", 60)
    return time.monotonic() - began
