"""An app of a real Compose file on a Docker host, released by the plan, as a push does it."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from geartrain.app.release import Release
from geartrain.engine.docker.engine import DockerEngine
from geartrain.engine.docker.host import DockerHome, DockerHost
from geartrain.load import load
from geartrain.load.stores import with_stores
from geartrain.release.apply import apply
from geartrain.release.plan import plan
from geartrain.release.steps import Step


@dataclass
class Said:
    """A reporter that keeps what it is told, and how long each step took."""

    lines: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def begin(self, step: Step) -> None:
        """A step begins."""

    def say(self, text: str) -> None:
        self.lines.append(text)

    def end(self, step: Step, seconds: float) -> None:
        self.seconds[str(step)] = seconds

    def fail(self, step: Step, seconds: float) -> None:
        self.seconds[f"failed: {step}"] = seconds


class Shop:
    """One app of a host.

    Args:
        host: the host.
        source: folder of its Compose file.
        name: its name there.
    """

    def __init__(self, host: DockerHost, source: Path, name: str = "") -> None:
        self.home = DockerHome(host, name or f"shop-{host.facts.id}", source)
        self.home.create()
        self.source = source
        self.live: int | None = None
        self.last = 0
        self.said = Said()
        self.live_after = 0.0

    def engine(self) -> DockerEngine:
        return DockerEngine(self.home, os.environ, self._check_out)

    def _check_out(self, _: Release, folder: Path) -> None:
        if not folder.exists():
            shutil.copytree(self.source, folder)

    def next(self) -> Release:
        """The source as it is now, as the next release."""
        app = with_stores(load(self.source, environ=os.environ).app, self.source)
        self.last += 1
        made = Release(number=self.last, commit="c" * 40, fingerprint=f"{self.last:020}", app=app)
        folder = self.home.releases / str(made.number)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "release.json").write_bytes(msgspec.json.encode(made))
        return made

    def known(self, number: int | None) -> Release | None:
        if number is None:
            return None
        text = (self.home.releases / str(number) / "release.json").read_bytes()
        return msgspec.json.decode(text, type=Release)

    def steps(self, number: int) -> tuple[Step, ...]:
        """What is left to do for a release."""
        made = self.known(number)
        assert made
        return plan(made, self.live, self.engine().observe())

    def release(self, made: Release | None = None) -> Release:
        """Bring the host to a release; the next one by default."""
        began = time.monotonic()
        made = made or self.next()
        engine = self.engine()
        self.said = Said(list(engine.check(made)))
        observed = engine.observe()
        if made.number != self.live:
            observed = engine.exclusive(observed)
        steps = plan(made, self.live, observed)

        def record(done: Release) -> None:
            self.live = done.number
            self.live_after = time.monotonic() - began

        apply(steps, made, self.known(self.live), engine, record, self.said)
        engine.sweep()
        return made
