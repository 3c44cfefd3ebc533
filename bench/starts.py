"""First start, and start on existing data."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figures import Figure
from bench.floor import by_hand, environment, own_start, start_app
from bench.project import Project, free_port, project, wait_for


def measure(runs: int) -> Iterator[Figure]:
    """`gear up -d` in a fresh folder, then after `gear down`."""
    first: list[float] = []
    floor: list[float] = []
    without: list[float] = []
    again: list[float] = []
    own: list[float] = []
    for run in range(runs + 1):
        with project() as made, TemporaryDirectory(prefix="gear-bench-") as place:
            Path(place).chmod(0o755)
            began = time.monotonic()
            made.up()
            gear = wait_for(made.port, "1") - began
            made.gear("down")
            began = time.monotonic()
            made.up()
            later = wait_for(made.port, "1") - began
            whole, build, alone = _by_hand(made, Path(place))
            if run:  # the first one fills the caches of both
                first.append(gear)
                again.append(later)
                floor.append(whole)
                without.append(whole - build)
                own.append(alone)
    kept = {"part": "start", "unit": "s"}
    yield Figure(name="first start, to the first answer", values=tuple(first),
                 floor=tuple(floor), most_times=1.5, most=3.0, **kept)  # fmt: skip
    yield Figure(name="the same, floor without its environment", values=tuple(first),
                 floor=tuple(without), **kept)  # fmt: skip
    yield Figure(name="start on existing data", values=tuple(again), floor=tuple(own),
                 most_more=1.0, **kept)  # fmt: skip


def _by_hand(made: Project, place: Path) -> tuple[float, float, float]:
    """The raw commands: all of it, making the environment, and the app's own start."""
    began = time.monotonic()
    with by_hand(place / "hand") as hand:
        python = environment(made, hand.folder / "env")
        build = time.monotonic() - began
        env = {"DATABASE_URL": hand.postgres(), "REDIS_URL": hand.valkey()}
        port = free_port()
        start_app(hand, made, python, env, port)
        whole = wait_for(hand.nginx(port), "1") - began
        return whole, build, own_start(hand, made, python, env)
