"""When an instance is to be restarted: pure, from what was seen of it and when.

Docker starts again what ends. What hangs goes on running, so it is asked how it is,
and one that gives no good answer several times in a row is restarted: after the
first time at once, then after ever longer pauses, for ever.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from geartrain.app.model import Role, Service
from geartrain.app.release import InstanceId
from geartrain.engine.docker.probing import QUICK

EVERY = 5.0  # seconds between two questions, and for an answer
FAILURES = 3
START = 30.0  # seconds in which one that was never ready counts as starting
FIRST_PAUSE = 15.0  # seconds from one restart to the next; each doubles it
LONGEST_PAUSE = 1800.0
PROVEN_AFTER = 600.0  # seconds of being well after which nothing is held against an instance
GONE_FOR = 3.0  # seconds that a container may be away: Docker itself replaces one, or a command

DATA = (Role.DATABASE, Role.CACHE)


class Found(StrEnum):
    """What was found out about an instance."""

    WELL = "well"
    STARTING = "starting"
    WRONG = "wrong"  # once more no good answer
    SICK = "sick"  # Docker's own healthcheck has counted its failures
    GONE = "gone"  # it does not run, and nobody starts it


class Rule(Struct, frozen=True, kw_only=True):
    """How an instance is asked. Times in seconds.

    The Compose file's healthcheck says it, where there is one.
    """

    every: float = EVERY
    within: float = EVERY
    failures: int = FAILURES
    start: float = START
    data: bool = False


def rule(service: Service) -> Rule:
    """How a service's instances are asked."""
    data = service.role in DATA
    check = service.healthcheck
    if check is None:
        return Rule(data=data)
    return Rule(
        every=max(check.interval, 1.0),
        within=max(check.timeout, QUICK),
        failures=max(check.retries, 1),
        start=check.start_period or START,
        data=data,
    )


class Case(Struct, kw_only=True):
    """What is known of one instance. Times are of a clock that only goes on."""

    rule: Rule
    container: str = ""
    started: float = 0.0
    proven: bool = False  # it was well since it started
    well_since: float | None = None
    failures: int = 0
    wrong_since: float = 0.0
    sick: bool = False
    gone: bool = False
    why: str = ""
    tries: int = 0
    last_try: float = 0.0
    not_before: float = 0.0

    @property
    def bad(self) -> bool:
        """Whether something has to be done about it."""
        return self.sick or self.gone or self.failures >= self.rule.failures


class Ward:
    """The instances of one app, and which of them is to be restarted next."""

    def __init__(self) -> None:
        self.cases: dict[InstanceId, Case] = {}

    def keep(self, wanted: Iterable[InstanceId]) -> None:
        """Forget all others: they should not run any more."""
        known = set(wanted)
        self.cases = {who: case for who, case in self.cases.items() if who in known}

    def note(
        self, who: InstanceId, found: Found, now: float, *, how: Rule, why: str = "",
        container: str = "", started: float = 0.0, age: float = 0.0,
    ) -> None:  # fmt: skip
        """Take down how an instance was found.

        Args:
            who: the instance.
            found: how it is.
            now: when.
            how: how it is asked.
            why: what is wrong, in words.
            container: whose id it was.
            started: when that started last: what was counted before is of another life.
            age: for how many seconds it runs.
        """
        case = self.cases.setdefault(who, Case(rule=how))
        case.rule = how
        if (container, started) != (case.container, case.started) and found is not Found.GONE:
            case.container, case.started = container, started
            case.proven, case.well_since = False, None
            self._clear(case)
        if found is Found.WRONG and not case.proven and age < how.start:
            found = Found.STARTING
        match found:
            case Found.WELL:
                self._clear(case)
                case.proven = True
                case.well_since = now if case.well_since is None else case.well_since
                if now - case.well_since >= PROVEN_AFTER:
                    case.tries, case.not_before = 0, 0.0
            case Found.STARTING:
                self._clear(case)
            case _:
                self._bad(case, found, now, why)

    def _bad(self, case: Case, found: Found, now: float, why: str) -> None:
        if not case.failures:
            case.wrong_since = now
        case.well_since = None
        case.failures += 1
        case.why = why
        case.sick = found is Found.SICK
        case.gone = found is Found.GONE and now - case.wrong_since >= GONE_FOR
        if found is Found.GONE:
            case.proven = False

    def _clear(self, case: Case) -> None:
        case.failures, case.sick, case.gone, case.why = 0, False, False, ""

    def choose(self, now: float) -> InstanceId | None:
        """The instance to be seen to now, if there is one.

        Data services go first, for the others may fail because of them; and of a service one
        at a time, so that what still answers goes on answering.
        """
        ill = [who for who, case in self.cases.items() if case.rule.data and self._ill(case, now)]
        due = [
            who
            for who, case in self.cases.items()
            if case.bad and now >= case.not_before
            and (case.rule.data or not ill)
            and not self._recovers(who, now)
        ]  # fmt: skip
        return min(due, key=lambda who: (self.cases[who].wrong_since, who), default=None)

    def _ill(self, case: Case, now: float) -> bool:
        return bool(case.failures) or _recovering(case, now)

    def _recovers(self, who: InstanceId, now: float) -> bool:
        """Whether another one of its service was restarted and is not ready again."""
        return any(
            other != who and other.service == who.service and _recovering(case, now)
            for other, case in self.cases.items()
        )

    def tried(self, who: InstanceId, now: float) -> None:
        """Take down that an instance was restarted, or could not be."""
        case = self.cases.get(who)
        if case is None:
            return
        self._clear(case)
        case.proven, case.well_since = False, None
        case.last_try = now
        case.not_before = now + min(FIRST_PAUSE * 2**case.tries, LONGEST_PAUSE)
        case.tries = min(case.tries + 1, 20)


def _recovering(case: Case, now: float) -> bool:
    return bool(case.tries) and not case.proven and now < case.last_try + case.rule.start
