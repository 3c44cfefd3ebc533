"""Order of start, and cycles."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from geartrain.app.graph import cycle, levels

NAMES = st.sampled_from("abcdef")
GRAPHS = st.dictionaries(NAMES, st.lists(NAMES, max_size=3))


def test_levels() -> None:
    needs = {"web": ["db", "cache"], "db": [], "cache": [], "worker": ["web", "elsewhere"]}
    assert levels(needs) == (("db", "cache"), ("web",), ("worker",))


def test_a_cycle_starts_at_the_first_of_the_file() -> None:
    needs = {"out": ["c"], "a": ["b"], "b": ["c"], "c": ["a"]}
    assert cycle(needs) == ("a", "b", "c", "a")


def test_a_service_that_waits_for_itself() -> None:
    assert cycle({"a": ["a"]}) == ("a", "a")


@given(GRAPHS)
def test_every_service_is_in_a_level_or_there_is_a_cycle(needs: dict[str, list[str]]) -> None:
    placed: set[str] = set()
    for level in levels(needs):
        for name in level:
            assert all(d in placed for d in needs[name] if d in needs)
        placed |= set(level)
    ring = cycle(needs)
    assert bool(ring) == (placed != set(needs))
    assert all(after in needs[before] for before, after in pairwise(ring))
