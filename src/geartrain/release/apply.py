"""Carry out a plan, step by step, on any engine.

The desired state changes in one step (`Record`). A failure before it stops
what this plan started and goes back to the live release by planning for it:
what had to stop first runs again, the edge sends requests there, the data
services have its definitions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol, assert_never

from geartrain.app.release import InstanceId, Release
from geartrain.engine.protocol import Engine, Observed, Outcome, Say
from geartrain.errors import GearError, Problem
from geartrain.release.plan import plan
from geartrain.release.steps import (
    Build,
    Check,
    EnsureData,
    Migrate,
    Pause,
    Record,
    Retire,
    Start,
    Step,
    StopFirst,
    Switch,
)

Checks = Callable[[Release, Sequence[str], Say], Sequence[Outcome]]
"""Runs the check commands of some services on throwaway data services."""

NO_ROOM = "no space left on device"  # ENOSPC (errno(3)), as programs say it


class Reporter(Protocol):
    """Shows progress to whoever waits."""

    def begin(self, step: Step) -> None:
        """A step begins."""
        ...

    def say(self, text: str) -> None:
        """Something worth knowing happened within it."""
        ...

    def end(self, step: Step, seconds: float) -> None:
        """The step is done."""
        ...

    def fail(self, step: Step, seconds: float) -> None:
        """The step failed."""
        ...


class Silent:
    """A reporter for nobody."""

    def begin(self, step: Step) -> None:
        """A step begins."""

    def say(self, text: str) -> None:
        """Something worth knowing happened within it."""

    def end(self, step: Step, seconds: float) -> None:
        """The step is done."""

    def fail(self, step: Step, seconds: float) -> None:
        """The step failed."""


@dataclass(frozen=True, kw_only=True)
class Applied:
    """A plan that was carried out. Times in seconds."""

    seconds: float
    live_after: float | None


def apply(
    steps: Sequence[Step],
    target: Release,
    before: Release | None,
    engine: Engine,
    record: Callable[[Release], None],
    reporter: Reporter,
    checks: Checks | None = None,
) -> Applied:
    """Run the steps in order; builds and data services, which come first, at once.

    Args:
        steps: what `plan` returned.
        target: the release that they lead to.
        before: the release that is live now, to go back to.
        engine: does the work.
        record: makes a release the desired state, atomically.
        reporter: shows progress.
        checks: runs check commands; a plan without `Check` needs none.

    Raises:
        GearError: a step failed; the release before is as it was.
    """
    began = time.monotonic()
    live_after: float | None = None
    started: list[InstanceId] = []
    stopped: list[InstanceId] = []

    def carry_out(step: Step) -> None:
        with _shown(step, reporter):
            if isinstance(step, Check) and checks is not None:
                _expect(checks(target, step.services, reporter.say), "check command")
            else:
                _do(step, target, engine, record, reporter.say, started, stopped)

    try:
        for together, some in groupby(steps, lambda step: isinstance(step, Build | EnsureData)):
            if together:
                _at_once(carry_out, list(some))
                continue
            for step in some:
                carry_out(step)
                if isinstance(step, Record):
                    live_after = time.monotonic() - began
    except BaseException as error:
        if live_after is None:
            _undo(target, before, engine, reporter, started, stopped, error)
        raise
    return Applied(seconds=time.monotonic() - began, live_after=live_after)


def _at_once(carry_out: Callable[[Step], None], steps: Sequence[Step]) -> None:
    """Builds and data services do not wait for each other. The first failure is raised."""
    if len(steps) < 2:
        for step in steps:
            carry_out(step)
        return
    with ThreadPoolExecutor(len(steps)) as pool:
        for done in [pool.submit(carry_out, step) for step in steps]:
            done.result()


def _do(  # noqa: C901  # one case a step
    step: Step,
    target: Release,
    engine: Engine,
    record: Callable[[Release], None],
    say: Say,
    started: list[InstanceId],
    stopped: list[InstanceId],
) -> None:
    match step:
        case Build():
            engine.build(target, say)
        case EnsureData():
            engine.ensure_data(target, target.app.services[step.service], say)
        case Check():
            raise NotImplementedError("this plan needs somebody to run check commands")
        case Migrate():
            _expect((engine.migrate(target, target.app.services[step.service]),), "release command")
        case StopFirst():
            stopped += step.ids
            engine.stop(step.ids)
        case Start():
            started += step.ids
            engine.start(target, step.ids)
            _expect(engine.ready(step.ids), "new version")
        case Pause():
            time.sleep(step.seconds)
        case Switch():
            engine.switch(target)
        case Record():
            record(target)
        case Retire():
            engine.retire(step.ids)
        case _:
            assert_never(step)


def _expect(outcomes: Sequence[Outcome], what: str) -> None:
    failed = [outcome for outcome in outcomes if not outcome.ok]
    if not failed:
        return
    first = failed[0]
    remedy = f"`gear logs {first.id.service}` shows all of it; mend it and run the same again"
    if NO_ROOM in "\n".join((first.reason, *first.tail)).lower():
        remedy = "the disk is full: make room, and run the same again"
    raise GearError(
        f"the {what} of {first.id.service} failed: {first.reason}",
        where=first.id.name,
        tail=first.tail,
        remedy=remedy,
    )


def _undo(
    target: Release,
    before: Release | None,
    engine: Engine,
    reporter: Reporter,
    started: Sequence[InstanceId],
    stopped: Sequence[InstanceId],
    error: BaseException,
) -> None:
    """Go back to the release before. What goes wrong with that is told with the error."""
    if before is not None and before.number == target.number:
        return  # a converge that failed: what runs is the live release, which stays
    try:
        seen = engine.observe()
        known = before is not None and _runs(before, seen, stopped)
        # While requests may go to the new instances, they stop once others take over.
        if before is None or not known or stopped or seen.routed == before.number:
            engine.stop(started)
        if before is not None and known:
            _go_back(before, engine, reporter)
    except Exception as trouble:  # must not hide the failure that led here
        if not isinstance(error, GearError):
            return
        what = trouble.what if isinstance(trouble, GearError) else repr(trouble)
        name = f"release {before.number}" if before else "what was started"
        problem = Problem(
            what=f"going back failed too: {what}",
            where=name,
            remedy="`gear ps` shows what runs; `gear up` starts from there",
        )
        error.problems = (*error.problems, problem)


def _runs(before: Release, seen: Observed, stopped: Sequence[InstanceId]) -> bool:
    """Whether the release before ran: one that was down before stays down."""
    ids = {*(i.id for i in seen.instances), *stopped}
    return seen.routed == before.number or any(i.release == before.number for i in ids)


def _go_back(before: Release, engine: Engine, reporter: Reporter) -> None:
    def nothing(_: Release) -> None:
        """It is the desired state already."""

    for step in plan(before, before.number, engine.observe()):
        with _shown(step, reporter):
            _do(step, before, engine, nothing, reporter.say, [], [])


@contextmanager
def _shown(step: Step, reporter: Reporter) -> Iterator[None]:
    began = time.monotonic()
    reporter.begin(step)
    try:
        yield
    except BaseException:
        reporter.fail(step, time.monotonic() - began)
        raise
    reporter.end(step, time.monotonic() - began)
