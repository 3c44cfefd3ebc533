"""Typed reading of untyped values, which notes what is wrong and goes on.

Compose has checked most types already; this holds for what slips through
(other versions of Compose, odd interpolated values), so that no input can
bring down the decoder.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from geartrain.app.finding import Finding, KeyPath, shown_value


class Reader:
    """One mapping of the resolved Compose file, with the place where it stands."""

    def __init__(self, value: object, path: KeyPath, findings: list[Finding]) -> None:
        self.path = path
        self.findings = findings
        self.values: dict[str, object] = {}
        if isinstance(value, dict):
            self.values = {str(key): item for key, item in value.items()}
        elif value is not None:
            self.wrong((), value, "must be a mapping of keys to values")

    def wrong(self, at: KeyPath, value: object, why: str, remedy: str = "") -> None:
        """Note that the value at a path below this one is wrong."""
        self.findings.append(Finding((*self.path, *at), f"{shown_value(value)} {why}", remedy))

    def get(self, key: str) -> object:
        """The value as it is, None when absent."""
        return self.values.get(key)

    def text(self, key: str) -> str | None:
        """A string; numbers and booleans are written as Compose writes them."""
        return self.scalar(self.get(key), (key,))

    def scalar(self, value: object, at: KeyPath) -> str | None:
        """Write one scalar as text; None stays None."""
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return str(value)
        self.wrong(at, value, "must be text")
        return None

    def flag(self, key: str) -> bool:
        """A boolean, False when absent."""
        value = self.get(key)
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if value is None or isinstance(value, bool):
            return bool(value)
        self.wrong((key,), value, "must be true or false")
        return False

    def integer(self, key: str, *, low: int = 0, high: int = 2**63 - 1) -> int | None:
        """A whole number within bounds."""
        value = self.number(key)
        if value is None:
            return None
        if value != int(value) or not low <= value <= high:
            upper = "" if high == 2**63 - 1 else f" and at most {high}"
            self.wrong((key,), self.get(key), f"must be a whole number, at least {low}{upper}")
            return None
        return int(value)

    def number(self, key: str) -> float | int | None:
        """A finite number, also when written as text."""
        value = self.get(key)
        found: float | int | None = None
        if value is None:
            return None
        try:
            if isinstance(value, int | float) and not isinstance(value, bool):
                found = value
            elif isinstance(value, str):
                found = int(value) if value.strip().isdecimal() else float(value)
        except ValueError:
            found = None
        if found is None or not math.isfinite(found):
            self.wrong((key,), value, "must be a number")
            return None
        return found

    def measured(self, key: str, parse: Callable[[str], float]) -> float | None:
        """A duration or size, read by `parse` from `geartrain.app.units`."""
        text = self.text(key)
        if text is None:
            return None
        try:
            return parse(text)
        except (ValueError, OverflowError) as error:
            self.wrong((key,), self.get(key), str(error))
            return None

    def words(self, key: str) -> tuple[str, ...] | None:
        """A list of strings; None when absent."""
        value = self.get(key)
        if value is None:
            return None
        if isinstance(value, str):
            value = [value]
        if not isinstance(value, list):
            self.wrong((key,), value, "must be a list")
            return None
        read = (self.scalar(item, (key, index)) for index, item in enumerate(value))
        return tuple(word for word in read if word is not None)

    def child(self, key: str) -> Reader:
        """The mapping under a key; empty when absent."""
        return Reader(self.get(key), (*self.path, key), self.findings)

    def children(self, key: str) -> Iterator[tuple[str, Reader]]:
        """Each mapping of a mapping of mappings (`services`, `depends_on`)."""
        below = self.child(key)
        for name in below.values:
            yield name, below.child(name)

    def entries(self, key: str) -> Iterator[Reader]:
        """Each mapping of a list of mappings (`ports`, `volumes`)."""
        value = self.get(key)
        if value is None:
            return
        if not isinstance(value, list):
            self.wrong((key,), value, "must be a list")
            return
        for index, item in enumerate(value):
            yield Reader(item, (*self.path, key, index), self.findings)
