"""Requests per second through the edge, and through a minimal nginx before the same instance."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figures import Figure
from bench.floor import KEPT, PLAIN, TOLD, by_hand
from bench.project import project, wait_for

SECONDS = 1
ROUNDS = 3  # a run: short ones in turn, so that what else the machine does meets all of them


def measure(runs: int) -> Iterator[Figure]:
    """`wrk` with 64 connections, one way after the other."""
    if not shutil.which("wrk"):
        raise SystemExit("this part needs wrk: apt-get install wrk")
    with project() as made, TemporaryDirectory(prefix="gear-bench-") as place:
        up = json.loads(made.up().stdout)
        one = next(i for i in up["instances"] if i["service"] == "backend")
        Path(place).chmod(0o755)
        with by_hand(Path(place) / "hand") as hand:
            ports = {
                "edge": made.port,
                **{
                    name: hand.nginx(one["port"], location, one["address"])
                    for name, location in (("told", TOLD), ("kept", KEPT), ("plain", PLAIN))
                },
            }
            rates: dict[str, list[float]] = {name: [] for name in ports}
            for port in ports.values():
                wait_for(port, "1", "/hello")
            for number in range(ROUNDS * runs + 1):
                # There and back: what one way leaves behind (a connection closed for each
                # request) is not always the next one's burden.
                for name in list(ports)[:: 1 if number % 2 else -1]:
                    rate = _rate(ports[name])
                    if number:
                        rates[name].append(rate)
    for name, words, least in (
        ("told", "minimal nginx that tells who asks", 0.97),
        ("kept", "the same, telling nothing", None),
        ("plain", "the same, without upstream keepalive", None),
    ):
        yield Figure(part="edge", name=f"against {words}", unit="/s", values=tuple(rates["edge"]),
                     floor=tuple(rates[name]), least_times=least, paired=True)  # fmt: skip


def _rate(port: int) -> float:
    words = ["wrk", "-t1", "-c64", f"-d{SECONDS}s", f"http://127.0.0.1:{port}/hello"]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(said)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])  # type: ignore[index]  # wrk always says it
