"""Figures that a test saw, told on stderr as a table whether it passes or not."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class Table:
    """Rows of words and numbers.

    Args:
        head: the title of each column.
    """

    def __init__(self, *head: str) -> None:
        self._rows: list[Sequence[str]] = [head]

    def add(self, *cells: str | float) -> None:
        """A row; seconds and the like with two digits."""
        self._rows.append([c if isinstance(c, str) else f"{c:.2f}" for c in cells])

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """A row with how long the block took."""
        began = time.monotonic()
        yield
        self.add(what, time.monotonic() - began)

    def show(self) -> None:
        """Print it."""
        widths = [max(map(len, column)) for column in zip(*self._rows, strict=True)]
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
                 for row in self._rows]  # fmt: skip
        sys.stderr.write("\n" + "\n".join(lines) + "\n")
