"""A host in memory: an engine, a history, and the one path between them."""

from __future__ import annotations

from collections.abc import Sequence

from geartrain.app.model import Role
from geartrain.app.release import Release, definition, instances
from geartrain.app.routes import sites
from geartrain.release.apply import apply
from geartrain.release.plan import plan
from geartrain.release.steps import Step
from geartrain.testing import MemoryEngine, World


class Watching:
    """A reporter that remembers, and may be where the command is killed."""

    def __init__(self, engine: MemoryEngine) -> None:
        self.engine = engine
        self.lines: list[str] = []
        self.seconds = 0.0

    def begin(self, step: Step) -> None:
        self.engine.moments.passes()
        self.lines.append(f"begin {step}")

    def say(self, text: str) -> None:
        self.lines.append(f"say {text}")

    def end(self, step: Step, seconds: float) -> None:
        self.lines.append(f"end {step}")
        self.seconds += seconds
        self.engine.moments.passes()

    def fail(self, step: Step, seconds: float) -> None:
        self.lines.append(f"fail {step}")
        self.seconds += seconds


class Place:
    """What `gear up` does, with everything around it in memory."""

    def __init__(self) -> None:
        self.engine = MemoryEngine()
        self.live: int | None = None
        self.log: list[int] = []
        self.known: dict[int, Release] = {}
        self.report = Watching(self.engine)
        self.record_fails: BaseException | None = None

    def copy(self) -> Place:
        """Another place in the same state."""
        other = Place()
        other.engine = self.engine.copy()
        other.report = Watching(other.engine)
        other.live, other.log, other.known = self.live, [*self.log], {**self.known}
        return other

    def plan(self, target: Release) -> tuple[Step, ...]:
        return plan(target, self.live, self.engine.observe())

    def up(self, target: Release) -> tuple[Step, ...]:
        """Plan and apply, as one command does."""
        self.known[target.number] = target
        steps = self.plan(target)
        self.apply(steps, target)
        return steps

    def apply(self, steps: Sequence[Step], target: Release) -> None:
        self.known[target.number] = target
        before = self.known[self.live] if self.live else None
        apply(steps, target, before, self.engine, self.record, self.report)

    def record(self, release: Release) -> None:
        self.engine.moments.passes()
        if self.record_fails:
            raise self.record_fails
        self.live = release.number
        self.log.append(release.number)
        self.engine.moments.passes()

    def achieved(self, target: Release) -> None:
        """Exactly this release is live in the history, routed, and running."""
        self.engine.settle()
        world = self.engine.world
        assert self.live == target.number
        assert self.log[-1] == target.number
        self.runs(target)
        assert self.plan(target) == (), "planning against the achieved state is empty"
        assert world == self.engine.world

    def runs(self, target: Release) -> None:
        """Exactly this release is routed and runs, with the data services as it defines them."""
        world = self.engine.world
        assert world.routed == (target.number if sites(target.app) else None)
        wanted = {
            one.name: service
            for service in target.app.services.values()
            if service.role is not Role.EDGE
            for one in instances(target, service)
        }
        assert {i.id.name for i in world.instances} == set(wanted)
        for seen in world.instances:
            service = wanted[seen.id.name]
            made_from = target.fingerprint if service.stateless else definition(service)
            assert seen.fine, seen
            assert seen.definition == made_from, seen


def serves(world: World, release: Release | None) -> bool:
    """Whether requests that arrive now are answered: every routed service has all its copies."""
    if release is None or world.routed is None:
        return True
    return all(
        (seen := world.find(one)) is not None and seen.fine
        for service in release.app.of_role(Role.WEB)
        for one in instances(release, service)
    )
