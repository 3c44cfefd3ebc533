"""A code-only re-release: until the new version answers, and until the command is back."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figures import Figure
from bench.floor import ByHand, by_hand, start_app
from bench.project import Project, free_port, project, run, wait_for

AT_MOST = 2.0


@dataclass(frozen=True)
class Subject:
    """An app to change by a line, and how its version is seen.

    `{}` in `line` and `begins` is the version.
    """

    name: str
    file: str
    line: str
    path: str
    begins: str
    data: bool = True
    migration: tuple[str, ...] = ()
    most_times: float | None = None

    def change(self, made: Project, before: int, after: int) -> None:
        """Write another version into its file."""
        file = made.folder / self.file
        text = file.read_text()
        file.write_text(text.replace(self.line.format(before), self.line.format(after)))


SUBJECTS = (
    Subject(
        "links", "backend/app/web.py", '        version="{}",', "/api/openapi.json?{}",
        '{{"openapi":"3.1.0","info":{{"title":"Links","version":"{}"',
        migration=("-m", "alembic", "upgrade", "head"), most_times=AT_MOST,
    ),
    Subject("visits", "backend/version.py", 'VERSION = "{}"', "/hello", "{} "),
    Subject("hello", "backend/version.py", 'VERSION = "{}"', "/hello", "{} ", data=False),
)  # fmt: skip
"""The example with its migrations, which is what apps are like; a small one; the smallest."""


def measure(runs: int) -> Iterator[Figure]:
    """Each of them, beside its own start by hand."""
    for subject in SUBJECTS:
        yield from _measure(subject, runs)


def _measure(subject: Subject, runs: int) -> Iterator[Figure]:
    live: list[float] = []
    command: list[float] = []
    own: list[float] = []
    with project(subject.name) as made, TemporaryDirectory(prefix="gear-bench-") as place:
        Path(place).chmod(0o755)
        made.up()
        wait_for(made.port, subject.begins.format(1), subject.path)
        with by_hand(Path(place) / "hand") as hand:
            env = _data(hand) if subject.data else {}
            for number in range(1, runs + 2):
                alone = _own(subject, hand, made, env)
                seen, back = _release(subject, made, number)
                if number > 1:
                    own.append(alone)
                    live.append(seen)
                    command.append(back)
    for what, values, most in (
        ("one line changed, live", live, subject.most_times),
        ("the command is back", command, None),
    ):
        yield Figure(part="release", name=f"{subject.name}: {what}", unit="s",
                     values=tuple(values), floor=tuple(own), most_times=most)  # fmt: skip


def _own(subject: Subject, hand: ByHand, made: Project, env: dict[str, str]) -> float:
    """The app's migrations and start, to its first answer, in seconds; then it is stopped."""
    port = free_port()
    began = time.monotonic()
    if subject.migration:
        run([made.python(), *subject.migration], cwd=made.folder / "backend",
            env={**os.environ, **env})  # fmt: skip
    started = start_app(hand, made, made.python(), env, port)
    took = wait_for(port, "", subject.path) - began
    started.terminate()
    started.wait(10)
    return took


def _data(hand: ByHand) -> dict[str, str]:
    return {"DATABASE_URL": hand.postgres(), "REDIS_URL": hand.valkey()}


def _release(subject: Subject, made: Project, before: int) -> tuple[float, float]:
    subject.change(made, before, before + 1)
    seen: list[float] = []
    wanted = subject.begins.format(before + 1)
    watching = threading.Thread(
        target=lambda: seen.append(wait_for(made.port, wanted, subject.path))
    )
    began = time.monotonic()
    watching.start()
    made.up()
    back = time.monotonic() - began
    watching.join()
    return seen[0] - began, back
