"""The order in which services start, and cycles in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def levels(edges: Mapping[str, Iterable[str]]) -> tuple[tuple[str, ...], ...]:
    """Sort into levels: each depends only on earlier ones, so a level starts at once.

    Args:
        edges: service to the services it depends on; unknown names count as there.

    Returns:
        The levels, each in the order of `edges`. What is on a cycle is left out.
    """
    left = {name: {d for d in needs if d in edges} for name, needs in edges.items()}
    found = []
    while ready := tuple(name for name, needs in left.items() if not needs):
        found.append(ready)
        gone = set(ready)
        left = {name: needs - gone for name, needs in left.items() if name not in gone}
    return tuple(found)


def cycle(edges: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Return one cycle as `(a, b, a)`, starting at its first member in `edges`; () if none."""
    sorted_names = {name for level in levels(edges) for name in level}
    stuck = {
        name: [d for d in needs if d in edges and d not in sorted_names]
        for name, needs in edges.items()
        if name not in sorted_names
    }
    if not stuck:
        return ()
    # Everything left depends on something left, so walking must come back to where it was.
    walk: list[str] = []
    name = next(iter(stuck))
    while name not in walk:
        walk.append(name)
        name = stuck[name][0]
    ring = walk[walk.index(name) :]
    start = min(range(len(ring)), key=lambda i: list(edges).index(ring[i]))
    turned = ring[start:] + ring[:start]
    return (*turned, turned[0])
