"""What is done to an app besides releasing a new version: back, more copies, as it should be.

Each takes an engine and a ledger, and goes the one way of `session` and
`deploy`. The caller holds the app's lock.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from msgspec.structs import replace

from geartrain.app.model import Role
from geartrain.app.release import Release
from geartrain.engine.protocol import Engine
from geartrain.errors import GearError, InvalidError
from geartrain.release.apply import Reporter, apply
from geartrain.release.deploy import Cause, Result, deploy
from geartrain.release.events import Event, What
from geartrain.release.history import Desired
from geartrain.release.ledger import Ledger
from geartrain.release.session import Session, prepare

MOST_COPIES = 64


def roll_back(
    to: Release, engine: Engine, ledger: Ledger, desired: Desired, cause: Cause, reporter: Reporter
) -> Result:
    """Make a kept release live again: nothing is built, no release command runs.

    Args:
        to: the release.
        engine: what runs it.
        ledger: the app's history.
        desired: the desired state.
        cause: who wants it, and why.
        reporter: shows progress.

    Raises:
        GearError: it failed; what was live goes on.
    """
    began = time.monotonic()
    ready = prepare(to, engine, ledger, desired, forward=False)
    back = replace_cause(cause, What.ROLLED_BACK)
    return deploy(ready, None, back, reporter, began, commit=to.commit if desired.commit else "")


def scale(
    wanted: Mapping[str, int | None],
    engine: Engine,
    ledger: Ledger,
    desired: Desired,
    cause: Cause,
    reporter: Reporter,
) -> Result:
    """Run another number of copies, from now on and in every later release.

    Args:
        wanted: service → copies; None for what the Compose file says.
        engine: what runs them.
        ledger: the app's history.
        desired: the desired state.
        cause: who wants it.
        reporter: shows progress.

    Raises:
        InvalidError: a service cannot have as many copies.
        GearError: a copy did not get ready; as many run as before.
    """
    live = _live(ledger, desired)
    replicas = dict(desired.replicas)
    for name, count in wanted.items():
        _check_scale(live, name, count)
        replicas.pop(name, None)
        if count is not None:
            replicas[name] = count
    then = replace(desired, replicas=replicas)
    began = time.monotonic()
    ready = prepare(live, engine, ledger, then)
    try:
        return deploy(ready, None, replace_cause(cause, What.SCALED), reporter, began)
    except GearError:
        as_before = prepare(live, engine, ledger, desired)
        apply(as_before.steps, as_before.release, None, engine, lambda _: None, reporter)
        raise


def converge(
    engine: Engine, ledger: Ledger, desired: Desired, reporter: Reporter, cause: Cause
) -> Session | None:
    """Have run what should run, and nothing else. A second call does nothing.

    Args:
        engine: what runs it.
        ledger: the app's history.
        desired: the desired state.
        reporter: shows progress.
        cause: who wants it, for an app that was stopped.

    Returns:
        What was done; None when no release should run.

    Raises:
        GearError: it did not get there.
    """
    if desired.live is None:
        strays = [one.id for one in engine.observe().instances if one.id.release is not None]
        if strays:
            engine.stop(strays)
        engine.sweep()
        return None
    live = _live(ledger, desired)
    ready = prepare(live, engine, ledger, desired)
    deploy(ready, None, cause, reporter, time.monotonic())
    engine.sweep()  # also what a killed command left, when nothing else is to be done
    return ready


def stop(engine: Engine, ledger: Ledger, desired: Desired, cause: Cause) -> bool:
    """Stop everything, until somebody releases or converges again.

    Returns:
        Whether anything ran.
    """
    if not desired.stopped and desired.live is not None:
        event = Event(what=What.STOPPED, release=desired.live, by=cause.by, via=cause.via)
        ledger.tell(replace(desired, stopped=True), event)
    return engine.down()


def replace_cause(cause: Cause, what: What) -> Cause:
    """The same cause for another kind of event."""
    return Cause(by=cause.by, via=cause.via, why=cause.why, what=what)


def _live(ledger: Ledger, desired: Desired) -> Release:
    if desired.live is None:
        raise GearError("no release is live yet", remedy="git push")
    live = ledger.read(desired.live)
    if live is None:
        raise GearError(
            f"release {desired.live} is live, but its files are gone",
            remedy="push its commit again",
        )
    return live


def _check_scale(live: Release, name: str, count: int | None) -> None:
    service = live.app.services.get(name)
    if service is None:
        raise InvalidError(
            f"there is no service {name!r} in release {live.number}",
            remedy=f"there are {', '.join(live.app.services)}",
        )
    if not service.stateless or service.role is Role.JOB or service.one_shot:
        raise InvalidError(f"{name} runs once: it is a {service.role}")
    if count is not None and not 0 < count <= MOST_COPIES:
        raise InvalidError(
            f"{name}={count}: from 1 to {MOST_COPIES} copies can run",
            remedy="`gear down` stops the whole app",
        )
