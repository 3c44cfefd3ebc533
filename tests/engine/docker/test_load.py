"""Releases in Docker under load: no request is lost."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from geartrain.engine.docker.host import DockerHost
from tests.engine.docker.hosts import clean, free_port
from tests.engine.docker.releasing import Shop
from tests.traffic.running import load, nothing_lost

pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("docker_daemon"),
    pytest.mark.timeout(1800),
]

APP = Path(__file__).parents[2] / "traffic" / "app"
SWITCHES = int(os.environ.get("GEAR_LOAD_SWITCHES") or 5)
COMPOSE = """\
x-gear: { name: load, drain: 10s }
services:
  nginx: { image: "nginx:latest", ports: ["80:80"] }
  backend:
    build: ./backend
    environment: { LEDGER: /tmp/ledger }
    deploy: { replicas: 2 }
    x-gear: { health: / }
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shop, int]]:
    folder = tmp_path_factory.mktemp("load")
    shutil.copytree(APP, folder / "app")
    (folder / "app" / "docker-compose.yml").write_text(COMPOSE)
    port = free_port()
    host = DockerHost(folder / "host")
    host.create({"80": port})
    made = Shop(host, folder / "app")
    try:
        made.release()
        yield made, port
    finally:
        clean(host)


def test_nothing_is_lost_while_releases_follow_each_other(shop: tuple[Shop, int]) -> None:
    made, port = shop
    kinds = {"keep": 24, "fresh": 4, "post": 8}
    with ExitStack() as stack:
        running = [
            stack.enter_context(
                load(f"127.0.0.1:{port}", mode, connections=count, name=mode, rate=300)
            )
            for mode, count in kinds.items()
        ]
        for number in range(SWITCHES):
            (made.source / "backend" / "version.py").write_text(f'VERSION = "v{number}"\n')
            made.release()
            for one in running:
                one.answered_by(f"v{number}")
                one.more(100)
            assert made.engine().drained(30.0)
        totals = [one.finish() for one in running]
    for one in totals:
        nothing_lost(one)
