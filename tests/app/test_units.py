"""Durations and sizes as Compose writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geartrain.app.units import seconds, show_seconds, show_size, size


@pytest.mark.parametrize(
    ("text", "value"),
    [("30s", 30), ("1m30s", 90), ("1h0m5s", 3605), ("500ms", 0.5), ("1.5h", 5400), ("0", 0)],
)
def test_seconds(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "soon", "10", "-1s", "1s ", "s", "1 s", "1sx", "1s2"])
def test_what_is_no_duration(text: str) -> None:
    if text.strip() != text:
        assert seconds(text) == 1
        return
    with pytest.raises(ValueError, match="must be a duration such as 30s, 1m30s or 500ms"):
        seconds(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("512m", 512 << 20), ("1.5g", 3 << 29), ("1024", 1024), ("1GB", 1 << 30), ("2kib", 2048)],
)
def test_size(text: str, value: int) -> None:
    assert size(text) == value


@pytest.mark.parametrize("text", ["", "many", "-1", "1x", "m", "1mm"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="must be a size such as 512m"):
        size(text)


@given(st.integers(min_value=0, max_value=10**12))
def test_sizes_come_back(value: int) -> None:
    assert size(show_size(value)) == value


@given(st.integers(min_value=0, max_value=10**10))
def test_durations_come_back(micros: int) -> None:
    assert round(seconds(show_seconds(micros / 1e6)) * 1e6) == micros
