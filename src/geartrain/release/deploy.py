"""Carry a session out and write down what came of it: the one way in which a release gets live."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from geartrain.app.model import Service
from geartrain.app.release import Release
from geartrain.errors import GearError
from geartrain.release import changes
from geartrain.release.apply import Checks, Reporter, apply
from geartrain.release.events import Event, Timing, What
from geartrain.release.history import Desired
from geartrain.release.ledger import Source
from geartrain.release.session import Session
from geartrain.release.steps import Migrate, Step


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Who wants a release, and by what.

    `commits` are the subjects of what came with it since the commit `since`. `monitor` is how long
    a release is watched, in seconds, whose Compose file does not say so.
    """

    by: str
    via: str
    why: str = ""
    what: What = What.LIVE
    since: str = ""
    commits: tuple[str, ...] = ()
    monitor: float = 10.0


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of it. `live_after` counts seconds from the command's start to the switch.

    `drained` says that nothing of the release before is left.
    """

    session: Session
    release: Release
    live_after: float
    drained: bool = True
    steps: tuple[Timing, ...] = ()

    @property
    def changed(self) -> bool:
        """False when there was nothing to do."""
        return bool(self.session.steps)


def deploy(
    session: Session,
    source: Source | None,
    cause: Cause,
    reporter: Reporter,
    began: float,
    *,
    checks: Checks | None = None,
    commit: str = "",
    drain: float = 0.0,
    on_live: Callable[[float], None] = lambda _: None,
) -> Result:
    """Bring the host to a session's release. The caller holds the app's lock.

    Args:
        session: what `prepare` returned.
        source: what a new release is made from; None for one that is kept.
        cause: who wants it.
        reporter: shows progress.
        began: when the command started (`time.monotonic`).
        checks: runs check commands, where the plan has any.
        commit: what the branch that releases is at once it is live.
        drain: seconds that the old instances are waited for.
        on_live: told, at the switch, the seconds that it took.

    Raises:
        GearError: it failed; the release before is as it was.
    """
    desired, ledger, engine = session.desired, session.ledger, session.engine
    wanted = msgspec.structs.replace(desired, commit=commit or desired.commit, stopped=False)
    if not session.steps:
        if wanted != ledger.desired():
            ledger.tell(
                wanted, _event(session, cause, _lesser(cause, desired), commit=wanted.commit)
            )
        took = time.monotonic() - began
        return Result(session=session, release=session.release, live_after=took)
    chosen = session.release
    if session.new:
        kept = ledger.save(session.chosen, source)
        chosen = msgspec.structs.replace(chosen, commit=kept.commit)
    last = max(desired.last, chosen.number)
    timed = Timed(reporter)
    live_at = 0.0

    def record(done: Release) -> None:
        nonlocal live_at
        at = time.monotonic()
        ledger.tell(
            msgspec.structs.replace(wanted, live=done.number, last=last),
            _event(
                session, cause, cause.what, commit=done.commit, seconds=at - began,
                steps=timed.steps, migrated=timed.migrated,
            ),
        )  # fmt: skip
        live_at = at
        on_live(at - began)

    try:
        apply(session.steps, chosen, session.before, engine, record, timed, checks)
    except GearError as error:
        if session.new and not live_at:
            ledger.tell(
                msgspec.structs.replace(desired, last=last),
                # Not its log lines: an app may print what the history must not keep.
                _event(
                    session, cause, What.FAILED, commit=chosen.commit, steps=timed.steps,
                    why=f"{error.where}: {error.what}".removeprefix(": "),
                    migrated=timed.migrated,
                ),
            )  # fmt: skip
            if session.before and session.observed.routed == session.before.number:
                error.remedy += f"\n  → release {session.before.number} goes on serving"
            ledger.prune({chosen.number, desired.live})
            with contextlib.suppress(GearError):  # what failed before is what is told
                engine.sweep()
        raise
    if not session.new and wanted != ledger.desired():
        what = cause.what if cause.what is What.SCALED else What.SAME
        ledger.tell(wanted, _event(session, cause, what, commit=wanted.commit, steps=timed.steps))
    live_after = (live_at or time.monotonic()) - began
    # First: what is swept can wait, and requests that are under way would have to.
    drained = engine.drained(drain)
    draining = {one.id.release for one in engine.observe().instances}
    ledger.prune({chosen.number, desired.live, *draining})
    engine.sweep()
    return Result(
        session=session, release=chosen, live_after=live_after, drained=drained, steps=timed.steps
    )


def _lesser(cause: Cause, desired: Desired) -> What:
    """What happened when no other release got live."""
    if cause.what is What.SCALED:
        return What.SCALED
    return What.LIVE if desired.stopped else What.SAME


def _event(session: Session, cause: Cause, what: What, **rest: object) -> Event:
    release, before = session.release, session.before
    services = release.app.services.values()
    fields: Mapping[str, object] = {
        "why": cause.why,
        "images": {s.name: s.image for s in services if s.image},
        "changes": changes.between(before.app if before else None, release.app),
        "replicas": session.desired.replicas,
        "monitor": max((_watched(s, cause) for s in services if s.stateless), default=0.0),
        **rest,
    }
    return Event(
        what=what,
        release=release.number,
        before=before.number if before else None,
        by=cause.by,
        via=cause.via,
        since=cause.since,
        commits=cause.commits,
        **fields,  # type: ignore[arg-type]  # named above and by the callers
    )


def _watched(service: Service, cause: Cause) -> float:
    said = service.update.monitor
    return cause.monitor if said is None else said


class Timed:
    """A reporter that also keeps the times of the steps."""

    def __init__(self, shown: Reporter) -> None:
        self._shown = shown
        self.steps: tuple[Timing, ...] = ()
        self.migrated: tuple[str, ...] = ()

    def begin(self, step: Step) -> None:
        """A step begins."""
        self._shown.begin(step)

    def say(self, text: str) -> None:
        """Something worth knowing happened within it."""
        self._shown.say(text)

    def end(self, step: Step, seconds: float) -> None:
        """The step is done."""
        self._keep(step, seconds)
        self._shown.end(step, seconds)

    def fail(self, step: Step, seconds: float) -> None:
        """The step failed."""
        self._keep(step, seconds)
        self._shown.fail(step, seconds)

    def _keep(self, step: Step, seconds: float) -> None:
        self.steps += (Timing(step=str(step), seconds=round(seconds, 3)),)
        if isinstance(step, Migrate):
            self.migrated += (step.service,)
