"""Fresh machines: containers of a bare Debian 12, in which a clone is tried as a newcomer would."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab import debian
from tests.machine.docker import Machine

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("python3", "git", "ca-certificates")
SET_UP = "useradd --create-home --shell /bin/bash dev"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is of the suite `machine`, with time for its downloads."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.machine)
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def image(docker_daemon: None, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Debian 12 as small as it gets, with Python and Git; kept in Docker between runs."""
    return debian.image("geartrain-fresh", PACKAGES, (SET_UP,), tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commit under test, as something that can be cloned."""
    path = tmp_path_factory.mktemp("bundle") / "geartrain.bundle"
    subprocess.run(
        ["git", "-C", str(ROOT), "bundle", "create", "--quiet", str(path), "HEAD"], check=True
    )
    return path


@pytest.fixture
def new_machine(image: str, bundle: Path) -> Iterator[Callable[[], Machine]]:
    """Start a machine that has the commit under test at /srv/geartrain.bundle."""
    machines: list[Machine] = []

    def start() -> Machine:
        machine = Machine(image)
        machines.append(machine)
        machine.put(bundle, "/srv/geartrain.bundle")
        return machine

    yield start
    for machine in machines:
        machine.remove()
