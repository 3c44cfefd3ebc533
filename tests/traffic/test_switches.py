"""Releases under load: no request is lost, whatever becomes of the new version."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import statistics
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.traffic.conftest import Scale
from tests.traffic.running import Load, Project, load, nothing_lost, percentile, project, until

pytestmark = [pytest.mark.load, pytest.mark.timeout(1800)]

MIGRATE = "python migrate.py"


class Switches:
    """Releases one after the other, and how long each took. Times in seconds."""

    def __init__(self, made: Project) -> None:
        self.made = made
        self.live: list[float] = []
        self.commands: list[float] = []
        self.drained: list[float] = []
        self._waiting: list[threading.Thread] = []
        self._version = 1
        self._pids = self._serving(made.up().stdout)

    def next(self, traffic: Load | None) -> None:
        """Change one line, release it, and see that it is live."""
        self._version += 1
        version = str(self._version)
        self.made.write_version(version)
        began = time.monotonic()
        for pid in self._pids:
            waiting = threading.Thread(target=self._until_gone, args=(os.pidfd_open(pid), began))
            waiting.start()
            self._waiting.append(waiting)
        done = self.made.up()
        self.commands.append(time.monotonic() - began)
        assert self.made.version() == version
        if traffic:
            self.live.append(traffic.answered_by(version) - began)
        self._pids = self._serving(done.stdout)

    def _serving(self, said: str) -> list[int]:
        told = json.loads(said)
        return [
            one["pid"] for one in told["instances"]
            if one["service"] == "backend" and one["release"] == told["release"]
        ]  # fmt: skip

    def _until_gone(self, handle: int, began: float) -> None:
        waiting = select.poll()
        waiting.register(handle, select.POLLIN)
        if waiting.poll(120_000):
            self.drained.append(time.monotonic() - began)
        os.close(handle)

    def settle(self) -> None:
        """Wait until every old instance has ended."""
        for waiting in self._waiting:
            waiting.join()
        assert len(self.drained) == len(self._waiting)

    def figures(self) -> dict[str, Any]:
        def shown(times: list[float]) -> str:
            if not times:
                return "-"
            return f"{statistics.median(times):.2f} s (worst {max(times):.2f})"

        return {
            "switches": self._version - 1,
            "live": shown(self.live),
            "command": shown(self.commands),
            "drained": shown(self.drained),
        }


def under_load(made: Project, scale: Scale, mode: str, **options: Any) -> dict[str, Any]:
    """Release so often under so many requests; return the totals of both."""
    switches = Switches(made)
    with load(made.address, mode, **options) as traffic:
        for _ in range(scale.switches):
            traffic.more(20)
            switches.next(traffic)
        until(lambda: traffic.ok >= scale.requests, "enough requests", 600)
        totals = traffic.finish()
    switches.settle()
    latencies = [taken for _, taken in totals["latencies"]]
    told = {
        "requests": totals["sent"],
        "fates": totals["fates"],
        **switches.figures(),
        "median ms": round(1000 * percentile(latencies, 50), 1),
        "99 % ms": round(1000 * percentile(latencies, 99), 1),
        "longest gap ms": round(1000 * totals["longest_gap"]),
    }
    return {**totals, "told": told}


def test_connections_that_are_kept(tmp_path: Path, scale: Scale, tell: Callable[..., None]) -> None:
    with project(tmp_path / "kept") as made:
        totals = under_load(made, scale, "keep", connections=64)
    tell(**totals["told"])
    nothing_lost(totals)


def test_connections_that_think(tmp_path: Path, scale: Scale, tell: Callable[..., None]) -> None:
    """Idle for a second between two requests: those meet a reload with an idle connection."""
    with project(tmp_path / "thinking") as made:
        totals = under_load(
            made, replace(scale, requests=scale.requests // 10), "keep", connections=200, think=1.0
        )
    tell(**totals["told"])
    nothing_lost(totals)


def test_a_new_connection_for_each_request(
    tmp_path: Path, scale: Scale, tell: Callable[..., None]
) -> None:
    with project(tmp_path / "fresh") as made:
        totals = under_load(made, scale, "fresh", connections=32)
    tell(**totals["told"])
    nothing_lost(totals)


def test_posts_are_processed_exactly_once(
    tmp_path: Path, scale: Scale, tell: Callable[..., None]
) -> None:
    with project(tmp_path / "posts") as made:
        totals = under_load(made, scale, "post", path="/ledger", connections=32)
        processed = Counter(made.ledger.read_text().split())
    tell(**totals["told"], processed=processed.total())
    nothing_lost(totals)
    assert len(processed) == totals["sent"]
    assert processed.total() == totals["sent"], processed.most_common(5)


def test_wrk(tmp_path: Path, scale: Scale, tell: Callable[..., None]) -> None:
    """The same with a load generator that is not ours."""
    with project(tmp_path / "wrk") as made:
        switches = Switches(made)
        wrk = subprocess.Popen(
            ["wrk", "-t1", "-c64", "-d3600s", "--timeout", "30s", f"http://{made.address}/?t=w"],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            for _ in range(scale.switches):
                switches.next(None)
            wrk.send_signal(signal.SIGINT)
            said, _ = wrk.communicate(timeout=60)
        finally:
            wrk.kill()
            wrk.wait()
        switches.settle()
    count = int(re.search(r"(\d+) requests in", said)[1])  # type: ignore[index]  # else the test fails
    tell(requests=count, **switches.figures())
    assert "Socket errors" not in said, said
    assert "Non-2xx" not in said, said


def test_a_version_that_does_not_start(tmp_path: Path) -> None:
    with project(tmp_path / "broken") as made, load(made.address) as traffic:
        made.write_version("broken-2")
        failed = made.up(check=False)
        traffic.more(200)
        assert failed.returncode != 0
        assert "this version is broken" in failed.stderr, failed.stderr
        assert made.version() == "1"
        made.write_version("3")
        made.up()
        traffic.answered_by("3")
        totals = traffic.finish()
        nothing_lost(totals)
        assert set(totals["versions"]) == {"1", "3"}


def test_a_migration_that_fails(tmp_path: Path) -> None:
    with (
        project(tmp_path / "unmigrated", data=True, release=MIGRATE) as made,
        load(made.address) as traffic,
    ):
        made.write_version("unmigrated-2")
        failed = made.up(check=False)
        traffic.more(200)
        assert failed.returncode != 0
        assert "this migration does not work" in failed.stderr, failed.stderr
        assert made.version() == "1"
        totals = traffic.finish()
        nothing_lost(totals)
        assert set(totals["versions"]) == {"1"}
