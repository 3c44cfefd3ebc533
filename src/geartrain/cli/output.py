"""What a person sees: results on stdout, progress on stderr, colours only where they show."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import IO, Any

from geartrain.errors import GearError

COLOURS = ("cyan", "yellow", "green", "magenta", "blue", "bright_cyan", "bright_yellow")
STATE_COLOURS = {
    "ready": "green", "exited": "green", "scheduled": "green", "starting": "yellow",
    "backoff": "yellow", "stopping": "yellow", "unhealthy": "red", "failed": "red",
}  # fmt: skip


def coloured(stream: IO[str]) -> bool:
    """Whether colours may be used (no-color.org; never into a pipe)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str, stream: IO[str], *, bold: bool = False) -> str:
    """Coloured text where the stream shows it."""
    if not coloured(stream):
        return text
    import click  # which the hook of a push does not need

    return click.style(text, fg=colour, bold=bold)


def note(text: str) -> None:
    """One line of progress."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def show_error(error: GearError) -> None:
    """Print a failure: what, where, why, the last log lines, and what to do next."""
    head, *rest = str(error).splitlines()
    note(f"{paint('error', 'red', sys.stderr, bold=True)}: {head}")
    for line in rest:
        note(line)


def as_json(value: Any) -> None:
    """Print a value for programs."""
    sys.stdout.write(f"{json.dumps(value, indent=2)}\n")
    sys.stdout.flush()


def columns(rows: Sequence[Sequence[str]], head: Sequence[str]) -> list[str]:
    """Lines of left-aligned columns, a header first."""
    every = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[i]) for row in every) for i in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in every
    ]


def service_colour(service: str, known: dict[str, str]) -> str:
    """A colour for a service's lines, in the order in which services are met."""
    return known.setdefault(service, COLOURS[len(known) % len(COLOURS)])


def ago(seconds: float) -> str:
    """A length of time for people: `3 s`, `5 min`, `2 h`, `4 d`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"
