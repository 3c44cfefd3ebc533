"""The window after a switch: a release that dies or fails its requests is taken back by itself.

`deploy.update_config.monitor` says how long (a push's default is 10 s, `gear up` has none),
`failure_action` what happens. Nothing is remembered but the history: whoever comes later reads
there when the release got live, and watches for the rest of its window.
"""

from __future__ import annotations

import time
from calendar import timegm
from collections.abc import Callable, Mapping, Sequence

from geartrain.app.model import Role
from geartrain.app.release import Release
from geartrain.engine.protocol import Engine, Instance, Observed, State
from geartrain.errors import GearError
from geartrain.release import moves, rollback
from geartrain.release.apply import Reporter, Silent
from geartrain.release.deploy import Cause
from geartrain.release.events import GOT_LIVE, Event, What
from geartrain.release.git import Git
from geartrain.release.history import LOG
from geartrain.server import by_hand
from geartrain.server.watched import Watched

VIA = "monitor"
EVERY = 0.5  # seconds between two looks; the window is short
LEAST_ERRORS = 5
WORST_SHARE = 0.05
TIMES_WORSE = 3.0
LASTING = (Role.WEB, Role.WORKER, Role.OTHER)


def left(events: Sequence[Event], live: int | None, now: float) -> float:
    """Seconds that are left of the live release's window.

    Args:
        events: the history, the newest first.
        live: the live release.
        now: Unix time.
    """
    last = next((e for e in events if e.what in GOT_LIVE), None)
    if last is None or last.what is not What.LIVE or last.release != live:
        return 0.0  # what was rolled back to has proven itself
    began = timegm(time.strptime(last.at, "%Y-%m-%dT%H:%M:%SZ"))
    return max(0.0, began + last.monitor - now)


def restarts(seen: Observed) -> dict[str, int]:
    """How often each instance was started again so far: at the switch that is no trouble."""
    return {one.name: one.restarts for one in seen.instances}


def trouble(
    release: Release, before: int | None, since: float, known: Mapping[str, int], engine: Engine
) -> str:
    """What is wrong with a release since it got live, or "".

    Args:
        release: the live release.
        before: the release before it, whose share of errors is the usual one.
        since: Unix time of the switch.
        known: restarts at the switch.
        engine: what runs it.
    """
    if found := _died(release, engine.observe(), known):
        return found
    now = engine.traffic(release.number, since)
    if now.errors < LEAST_ERRORS or now.share <= WORST_SHARE:
        return ""
    usual = engine.traffic(before, 0.0).share if before is not None else 0.0
    if now.share <= TIMES_WORSE * usual:
        return ""
    return (
        f"{now.errors} of {now.requests} requests were answered with 5xx"
        f" ({now.share:.0%}, before {usual:.0%})"
    )


def _died(release: Release, seen: Observed, known: Mapping[str, int]) -> str:
    for one in seen.instances:
        lasting = one.role in LASTING and one.id.service in release.app.services
        if one.id.release != release.number or not lasting:
            continue
        if release.app.services[one.id.service].one_shot:
            continue
        again = one.restarts > known.get(one.name, one.restarts)
        if again or one.state in (State.FAILED, State.BACKOFF, State.UNHEALTHY):
            return f"{one.name} {_how(one)}"
    return ""


def _how(one: Instance) -> str:
    if one.note:
        return one.note
    return "was started again" if one.restarts else f"is {one.state}"


def watch(
    app: Watched, number: int, known: Mapping[str, int], reporter: Reporter | None = None
) -> None:
    """Watch the live release for the rest of its window; one watcher an app.

    Args:
        app: the app.
        number: the release that got live.
        known: restarts of its instances at the switch.
        reporter: shows progress; default nobody's.
    """
    # The one before watches a release that is not live any more, and soon sees it.
    with app.watching():
        if app.exists():
            _watch(app, number, known, reporter or Silent())


def _watch(app: Watched, number: int, known: Mapping[str, int], reporter: Reporter) -> None:
    home = app.home()
    ledger = app.ledger(home)
    release = ledger.read(number)
    events = ledger.events()
    end = time.time() + left(events, number, time.time())
    if release is None:
        return
    since = end - next((e.monitor for e in events if e.what in GOT_LIVE), 0.0)
    before = rollback.previous(events, number)
    engine = app.engine(home, number)
    log = Git(app.repository)
    seen = log.at(LOG)

    def look() -> str:
        return trouble(release, before, max(since, by_hand.last(home)), known, engine)

    while time.time() < end and app.exists():
        now = log.at(LOG)
        if now != seen and ledger.desired().live != number:
            return
        seen = now
        if look() and act(app, number, look, reporter):
            return
        time.sleep(EVERY)


def act(app: Watched, number: int, look: Callable[[], str], reporter: Reporter) -> bool:
    """Take a release back, or write down that somebody has to look.

    Args:
        app: the app.
        number: the release that is in trouble.
        look: says what is wrong with it, or "". Asked when nobody else is at work on the app:
            instances that somebody restarts or scales are not in trouble.
        reporter: shows progress.

    Returns:
        Whether there is nothing more to watch.
    """
    home = app.home()
    with home.lock("the monitor"):
        if not app.exists():
            return True
        ledger = app.ledger(home)
        desired = ledger.desired()
        if desired.live != number:
            return True  # somebody was quicker
        if not (why := look()):
            return False
        if not app.exists():
            return True  # it was looked at while its host was being stopped
        cause = Cause(by="gear", via=VIA, why=why)
        live = ledger.read(number)
        back = rollback.previous(ledger.events(), number)
        to = ledger.read(back)
        wanted = live is not None and any(
            s.update.failure_action == "rollback" for s in live.app.services.values() if s.stateless
        )
        event = Event(what=What.TROUBLE, release=number, by=cause.by, via=VIA, why=why)
        if to is None or not wanted:
            ledger.tell(desired, event)
            return True
        try:
            moves.roll_back(to, app.engine(home, to.number), ledger, desired, cause, reporter)
        except GearError as error:
            failed = Event(
                what=What.TROUBLE, release=number, by=cause.by, via=VIA,
                why=f"{why}; going back to release {to.number} failed too: {error.what}",
            )  # fmt: skip
            ledger.tell(ledger.desired(), failed)
        app.went_back(ledger.desired())
    return True
