"""Many apps on one host with Docker: a push to the first, alone and with all the others there.

The other way round, too: what the last of them waits for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figures import Figure
from bench.push import Pushed, app, docker_answers

APPS = int(os.environ.get("BENCH_APPS", "20"))
AT_MOST = 1.2


def measure(runs: int) -> Iterator[Figure]:
    """Until the new version answers, and until the push is back."""
    if not docker_answers():
        return
    with TemporaryDirectory(prefix="gear-bench-") as folder, ExitStack() as apps:
        place = Path(folder)
        first = apps.enter_context(app(place, "docker"))
        alone = _pushes(first, runs, 2)
        for number in range(2, APPS + 1):
            last = apps.enter_context(app(place, "docker", number))
        among = _pushes(first, runs, runs + 3)
        latest = _pushes(last, runs, 2)
    kept = {"part": "neighbours", "unit": "s"}
    for which, pushed in (("first", among), ("last", latest)):
        for at, what in enumerate(("live", "the push is back")):
            yield Figure(
                name=f"the {which} of {APPS} apps, by the first alone: {what}",
                values=tuple(one[at] for one in pushed),
                floor=tuple(one[at] for one in alone),
                most_times=AT_MOST,
                **kept,
            )


def _pushes(made: Pushed, runs: int, version: int) -> list[tuple[float, float]]:
    """Code-only pushes, but for the first, after which all is as it always is."""
    pushed = []
    for number in range(version, version + runs + 1):
        made.change(str(number))
        pushed.append(made.push(str(number)))
    return pushed[1:]
