"""How one configuration differs from another, said without anything that may be secret."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from geartrain.app.model import App

# Values below these keys are shown; all others may hold what a variable brought in.
SHOWN = frozenset(
    {"image", "role", "replicas", "port", "ports", "expose", "limits", "update", "restart"}
    | {"one_shot", "stop_grace", "stop_signal", "mounts", "depends_on", "policy", "gear", "build"}
)
HIDDEN = frozenset(
    {"args", "environment", "command", "inline", "release", "check", "embedded", "options"}
)
MOST = 50


def between(before: App | None, now: App) -> tuple[str, ...]:
    """One line for each key that differs, such as `services.web.replicas: 1 → 2`.

    Args:
        before: the configuration before; None says nothing.
        now: the configuration now.
    """
    if before is None:
        return ()
    old, new = (dict(_flat(msgspec.to_builtins(app), ())) for app in (before, now))
    lines = []
    for path in sorted({*old, *new}):
        if old.get(path) == new.get(path):
            continue
        name = ".".join(path)
        if not _may_show(path):
            word = "added" if path not in old else "removed" if path not in new else "changed"
            lines.append(f"{name} {word}")
        elif path not in old:
            lines.append(f"{name}: {new[path]} added")
        elif path not in new:
            lines.append(f"{name}: {old[path]} removed")
        else:
            lines.append(f"{name}: {old[path]} → {new[path]}")
    more = len(lines) - MOST
    return (*lines[:MOST], f"and {more} more") if more > 0 else tuple(lines)


def _may_show(path: tuple[str, ...]) -> bool:
    return not HIDDEN.intersection(path) and bool(SHOWN.intersection(path))


def _flat(value: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, dict) and path[2:3] != ("built",):
        for key, item in value.items():
            if (key, item) != ("name", path[-1] if path else ""):
                yield from _flat(item, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _flat(item, (*path, str(index)))
    elif isinstance(value, dict):
        yield path, msgspec.json.encode(value, order="deterministic").decode()
    elif value is not None and value != "":
        yield path, str(value).lower() if isinstance(value, bool) else str(value)
