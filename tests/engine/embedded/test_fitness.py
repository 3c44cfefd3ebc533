"""What the embedded engine says that it does differently."""

from __future__ import annotations

from pathlib import Path

import pytest

from geartrain.app.model import App, Limits, Role, Service
from geartrain.engine.embedded import fitness
from geartrain.engine.embedded.host import Host

ALL = Limits(memory=2**28, cpus=0.5, pids=50)


def said(tmp_path: Path, *services: Service) -> list[str]:
    host = Host(tmp_path)
    host.create()
    app = App(name="shop", services={one.name: one for one in services})
    return [line for line in fitness.check(host, app) if "limit" in line]


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        (ALL, "cpus and pids"),
        (Limits(cpus=1.0), "cpus"),
        (Limits(pids=10), "pids"),
        (Limits(memory=2**28), ""),
        (Limits(), ""),
    ],
)
def test_each_limit_that_is_not_kept_is_named(tmp_path: Path, limits: Limits, left: str) -> None:
    web = Service(
        name="web", role=Role.WORKER, image="python:3.12", command=("true",), limits=limits
    )
    expected = [f"web: its limit on {left} is not enforced here, only with Docker"] if left else []
    assert said(tmp_path, web) == expected


def test_memory_of_a_data_service_is_not_limited(tmp_path: Path) -> None:
    db = Service(name="db", role=Role.DATABASE, image="postgres:18", port=5432, limits=ALL)
    assert said(tmp_path, db) == [
        "db: its limit on memory and cpus and pids is not enforced here, only with Docker"
    ]
