"""Where domains point to, by the resolver of the machine."""

from __future__ import annotations

import pytest

from geartrain.server import pointing


def test_one_that_points_here() -> None:
    assert pointing.astray("localhost") == ""
    assert pointing.told("localhost").startswith("points to ")
    assert "does not have" not in pointing.told("localhost")


def test_one_that_points_nowhere() -> None:
    assert pointing.told("shop.invalid") == pointing.astray("shop.invalid") == "has no address"


def test_one_that_points_elsewhere() -> None:
    said = "points to 203.0.113.9, which this machine does not have itself"
    assert pointing.astray("203.0.113.9") == pointing.told("203.0.113.9") == said
    assert pointing.is_ours("127.0.0.1")
    assert not pointing.is_ours("2001:db8::1")


def test_a_resolver_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pointing.addresses("localhost", within=0.0) is None
    monkeypatch.setattr(pointing, "addresses", lambda _: None)
    assert pointing.told("a.test") == "has no address that was told in time"
