"""One prepared server for all tests of the folder, with an app that is on https."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from geartrain.engine.docker.images.ensure import ensure
from tests.lab.acme import Acme, acme
from tests.lab.laptop import Laptop
from tests.lab.server import image
from tests.lab.site import Site

OFFICIAL = ("nginx:latest", "python:3.12-slim", "postgres:16", "redis:7")
SUITE = os.environ.get("GEAR_SUITE", "bookworm")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is of the suite `server`, with time for its downloads."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.server)
            item.add_marker(pytest.mark.timeout(1200))


@pytest.fixture(scope="session")
def machine_image(docker_daemon: None, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Debian as a provider gives it, with systemd and sshd."""
    missing = [name for name in ("pebble", "ssh") if not shutil.which(name)]
    if missing:
        pytest.skip(f"{' and '.join(missing)} missing; run ./test as root, or install")
    return image(tmp_path_factory.mktemp("image"), SUITE)


@pytest.fixture(scope="session")
def official(docker_daemon: None) -> list[str]:
    """What stands for the official images, in this machine's Docker."""
    return sorted(set(ensure(OFFICIAL, lambda _: None).values()))


@pytest.fixture(scope="session")
def authority(docker_daemon: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Acme]:
    with acme(tmp_path_factory.mktemp("acme")) as one:
        yield one


@pytest.fixture(scope="session")
def site(
    machine_image: str, official: list[str], authority: Acme,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:  # fmt: skip
    """The server, as `site.bring_up` leaves it."""
    laptop = Laptop(tmp_path_factory.mktemp("laptop"))
    made = Site(machine_image, laptop, authority, official)
    try:
        made.bring_up()
        yield made
    finally:
        made.server.remove()
