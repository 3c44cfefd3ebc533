"""A measured figure, and tables of them."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Medians over runs that alternate with those of the floor.

    `target` says what `value` may be: `<= 1.5 x floor`, `<= floor + 1`, `<= 80`.
    """

    part: str
    name: str
    unit: str
    values: tuple[float, ...]
    floor: tuple[float, ...] = ()
    most_times: float | None = None
    most_more: float | None = None
    most: float | None = None
    least_times: float | None = None
    paired: bool = False  # each value was measured right beside its floor, so their ratios count

    @property
    def value(self) -> float:
        """The median."""
        return statistics.median(self.values)

    @property
    def by_hand(self) -> float | None:
        """The median of the floor."""
        return statistics.median(self.floor) if self.floor else None

    @property
    def ratio(self) -> float | None:
        """How many times the floor it is."""
        if self.paired:
            pairs = zip(self.values, self.floor, strict=True)
            return statistics.median(value / floor for value, floor in pairs)
        return self.value / self.by_hand if self.by_hand else None

    @property
    def good(self) -> bool | None:
        """Whether the target is met; None without one."""
        checks = []
        if self.by_hand is not None and self.ratio is not None:
            if self.most_times is not None:
                checks.append(self.ratio <= self.most_times)
            if self.least_times is not None:
                checks.append(self.ratio >= self.least_times)
            if self.most_more is not None:
                checks.append(self.value <= self.by_hand + self.most_more)
        if self.most is not None:
            checks.append(self.value <= self.most)
        return all(checks) if checks else None

    @property
    def target(self) -> str:
        """The target in words."""
        said = []
        if self.most_times is not None:
            said.append(f"<= {self.most_times:g} x")
        if self.least_times is not None:
            said.append(f">= {self.least_times:g} x")
        if self.most_more is not None:
            said.append(f"<= +{self.most_more:g} {self.unit}")
        if self.most is not None:
            said.append(f"<= {self.most:g} {self.unit}")
        return " and ".join(said)

    def plain(self) -> dict[str, object]:
        """The figure for programs."""
        return {
            **dataclasses.asdict(self),
            "median": self.value,
            "floor_median": self.by_hand,
            "ratio": self.ratio,
            "target": self.target,
            "met": self.good,
        }


HEAD = ("part", "figure", "median", "spread", "by hand", "ratio", "target", "")


def table(figures: Sequence[Figure]) -> str:
    """Figures in aligned columns."""
    rows = [HEAD, *map(_row, figures)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _row(one: Figure) -> tuple[str, ...]:
    return (
        one.part,
        one.name,
        _shown(one.value, one.unit),
        f"{_shown(min(one.values))}..{_shown(max(one.values))}",
        "" if one.by_hand is None else _shown(one.by_hand, one.unit),
        "" if one.ratio is None else f"{one.ratio:.3f}" if one.paired else f"{one.ratio:.2f}",
        one.target,
        {True: "ok", False: "MISSED", None: ""}[one.good],
    )


def _shown(value: float, unit: str = "") -> str:
    text = f"{value:.0f}" if value >= 100 else f"{value:.3g}"
    return f"{text} {unit}".strip()
