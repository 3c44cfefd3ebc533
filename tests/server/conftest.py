"""Hosts and clones; everything that was started is stopped, and seen to be gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.pushing import Clone, HostFolder, clone_of


def made(parent: Path) -> HostFolder:
    host = HostFolder(parent / "host")
    host.gear("host", "init", "--engine", "embedded")
    return host


@pytest.fixture
def host(tmp_path: Path) -> Iterator[HostFolder]:
    one = made(tmp_path)
    yield one
    one.finish()


@pytest.fixture
def shop(host: HostFolder, tmp_path: Path) -> Clone:
    """The app `shop`, to which nothing was pushed yet."""
    return clone_of(host, "shop", tmp_path)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """An app that is live, for what all tests of a module do to it: nothing that lasts."""
    place = tmp_path_factory.mktemp("live")
    host = made(place)
    clone = clone_of(host, "shop", place)
    clone.push()
    yield clone
    host.finish()
