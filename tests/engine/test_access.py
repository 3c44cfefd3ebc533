"""What counts as a release's traffic."""

from __future__ import annotations

import json
from pathlib import Path

from geartrain.engine.access import traffic
from geartrain.engine.nginx import AGENT
from geartrain.engine.protocol import Traffic


def line(status: int = 200, at: float = 10.0, generation: str = "shop 2", agent: str = "x") -> str:
    return json.dumps({"time": at, "status": status, "generation": generation, "agent": agent})


def test_a_releases_own_requests_count_and_those_of_the_switch_do_not(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    lines = [
        line(), line(502), line(503, at=9.0), line(generation="shop 1"),
        line(generation="shop2 2"), line(500, agent=AGENT), line()[:-9],
    ]  # fmt: skip
    log.write_text("\n".join(lines) + "\n")
    assert traffic(log, "shop", 2, 0.0) == Traffic(requests=3, errors=2)
    assert traffic(log, "shop", 2, 10.0) == Traffic(requests=2, errors=1)
    assert traffic(log, "shop", 3, 0.0) == Traffic(requests=0, errors=0)


def test_an_edge_of_one_app_names_the_release_alone(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text(f"{line(generation='2-0a1b')}\n{line(generation='22-0a1b')}\n")
    assert traffic(log, "", 2, 0.0) == Traffic(requests=1, errors=0)
    assert traffic(tmp_path / "none.log", "", 2, 0.0) == Traffic(requests=0, errors=0)
