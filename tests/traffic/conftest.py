"""How much load is sent, and what the tests tell in the end.

A tenth of the whole by default. `GEAR_LOAD=full` sends all of it, and
`GEAR_LOAD_REPORT=FILE` keeps the figures as JSON.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.traffic.running import Project, project

figures: dict[str, dict[str, Any]] = {}


@dataclass(frozen=True)
class Scale:
    """How often is released, and under how many requests of each kind.

    Attributes:
        switches: releases.
        requests: how many, or more.
        rate: how many a second.
        whole: nothing less than what the project promises.
    """

    switches: int
    requests: int
    rate: int
    whole: bool = False


@pytest.fixture(scope="session")
def scale() -> Scale:
    full = os.environ.get("GEAR_LOAD") == "full"
    switches = int(os.environ.get("GEAR_LOAD_SWITCHES") or (100 if full else 10))
    requests = int(os.environ.get("GEAR_LOAD_REQUESTS") or (100_000 if full else 10_000))
    # Of four kinds: what two processors have the time for, which also build, ask and measure.
    rate = int(os.environ.get("GEAR_LOAD_RATE") or (100 if full else 200))
    return Scale(switches, requests, rate, full)


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Keep figures for the summary."""

    def keep(**values: Any) -> None:
        figures.setdefault(request.node.name, {}).update(values)

    return keep


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Two replicas, PostgreSQL and Redis."""
    with project(tmp_path_factory.mktemp("traffic") / "stack", replicas=2, data=True) as made:
        yield made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not figures:
        return
    terminalreporter.section("under load")
    for name, values in figures.items():
        shown = "  ".join(f"{key}: {value}" for key, value in values.items())
        terminalreporter.write_line(f"{name}  {shown}")
    if path := os.environ.get("GEAR_LOAD_REPORT"):
        Path(path).write_text(json.dumps(figures, indent=2) + "\n")
