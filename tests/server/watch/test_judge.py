"""When an instance is restarted, told by a clock of the test's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from geartrain.app.model import Healthcheck, Role, Service
from geartrain.app.release import InstanceId
from geartrain.server.watch.judge import (
    FIRST_PAUSE,
    GONE_FOR,
    LONGEST_PAUSE,
    PROVEN_AFTER,
    Found,
    Rule,
    Ward,
    rule,
)

WEB1, WEB2 = (InstanceId(service="web", release=1, index=n) for n in (1, 2))
POSTGRES = InstanceId(service="postgres")
HOW = Rule()
DATA = Rule(data=True)


@dataclass
class Time:
    """A ward, and the seconds that have passed in it."""

    ward: Ward = field(default_factory=Ward)
    now: float = 1000.0
    lives: dict[InstanceId, int] = field(default_factory=dict)

    def see(
        self, found: Found, *every: InstanceId, how: Rule = HOW, age: float = 100.0, why: str = ""
    ) -> None:
        for who in every or (WEB1,):
            container = f"{who.name}-{self.lives.get(who, 0)}"
            self.ward.note(
                who, found, self.now, how=how, age=age, container=container, why=why or "no answer"
            )

    def fails(self, times: int, *every: InstanceId, how: Rule = HOW) -> None:
        for _ in range(times):
            self.see(Found.WRONG, *every, how=how)
            self.now += how.every

    def restart(self, who: InstanceId, how: Rule = HOW) -> None:
        """Restart it: it lives anew, and starts."""
        self.ward.tried(who, self.now)
        self.lives[who] = self.lives.get(who, 0) + 1
        self.see(Found.STARTING, who, age=0.0, how=how)

    @property
    def chosen(self) -> InstanceId | None:
        return self.ward.choose(self.now)


@pytest.fixture
def time() -> Time:
    return Time()


def test_one_that_is_well_is_left_alone(time: Time) -> None:
    for _ in range(100):
        time.see(Found.WELL)
        time.now += 5
        assert time.chosen is None


def test_the_third_failure_in_a_row_is_one_too_many(time: Time) -> None:
    time.fails(2)
    assert time.chosen is None
    time.see(Found.WELL)
    time.fails(2)
    assert time.chosen is None, "a good answer in between counts"
    time.fails(1)
    assert time.chosen == WEB1


def test_one_that_starts_is_left_alone_until_its_time_is_over(time: Time) -> None:
    for age in range(0, 30, 5):
        time.see(Found.WRONG, age=age)
        assert time.chosen is None
    for age in range(30, 45, 5):
        time.see(Found.WRONG, age=age)
    assert time.chosen == WEB1


def test_one_that_was_ready_does_not_start_any_more(time: Time) -> None:
    time.see(Found.WELL, age=1)
    for age in (2, 3, 4):
        time.see(Found.WRONG, age=age)
    assert time.chosen == WEB1


def test_a_database_that_reads_its_log_again_is_never_restarted(time: Time) -> None:
    for age in range(0, 3600, 5):
        time.see(Found.STARTING, POSTGRES, how=DATA, age=age)
        time.now += 5
        assert time.chosen is None


def test_what_failed_in_another_life_does_not_count(time: Time) -> None:
    time.fails(2)
    time.lives[WEB1] = 1  # Docker started it again
    time.fails(2)
    assert time.chosen is None


def test_pauses_get_longer_and_never_end(time: Time) -> None:
    pauses = []
    for _ in range(12):
        while time.chosen is None:
            time.see(Found.WRONG)
            time.now += 5
        pauses.append(time.now)
        time.restart(WEB1)
    gaps = [after - before for before, after in pairwise(pauses)]
    assert gaps == sorted(gaps)
    assert gaps[0] >= FIRST_PAUSE
    assert LONGEST_PAUSE <= gaps[-1] <= LONGEST_PAUSE + 10


def test_after_a_while_of_being_well_nothing_is_held_against_it(time: Time) -> None:
    for _ in range(5):
        while time.chosen is None:
            time.fails(1)
        time.restart(WEB1)
    end = time.now + PROVEN_AFTER + 5
    while time.now < end:
        time.see(Found.WELL)
        time.now += 5
    time.fails(3)
    assert time.chosen == WEB1


def test_of_a_service_one_at_a_time(time: Time) -> None:
    time.fails(3, WEB1, WEB2)
    first = time.chosen
    assert first == WEB1
    time.restart(WEB1)
    time.fails(1, WEB2)
    assert time.chosen is None, "the first is not ready again"
    time.see(Found.WELL, WEB1, age=2)
    assert time.chosen == WEB2


def test_one_that_never_gets_ready_again_does_not_hold_up_the_other(time: Time) -> None:
    time.fails(3, WEB1, WEB2)
    time.restart(WEB1)
    time.now += HOW.start
    time.see(Found.WRONG, WEB2)
    assert time.chosen == WEB2


def test_data_services_go_first_and_others_wait_for_them(time: Time) -> None:
    time.fails(3, WEB1)
    time.see(Found.WRONG, POSTGRES, how=DATA)
    assert time.chosen is None, "it may be PostgreSQL's fault"
    time.fails(3, POSTGRES, how=DATA)
    assert time.chosen == POSTGRES
    time.restart(POSTGRES, DATA)
    assert time.chosen is None
    time.see(Found.WELL, POSTGRES, how=DATA)
    time.see(Found.WELL, WEB1)
    assert time.chosen is None


def test_docker_has_counted_already(time: Time) -> None:
    time.see(Found.SICK)
    assert time.chosen == WEB1


def test_one_that_is_gone_comes_back_after_a_moment(time: Time) -> None:
    time.see(Found.WELL)
    time.see(Found.GONE)
    assert time.chosen is None, "a command may be replacing it"
    time.now += GONE_FOR
    time.see(Found.GONE)
    assert time.chosen == WEB1
    time.ward.tried(WEB1, time.now)
    time.now += 5
    time.see(Found.GONE)
    assert time.chosen is None, "it could not be brought back just now"
    time.now += FIRST_PAUSE
    time.see(Found.GONE)
    assert time.chosen == WEB1


def test_what_should_not_run_any_more_is_forgotten(time: Time) -> None:
    time.fails(3, WEB1, WEB2)
    time.ward.keep([WEB2])
    assert time.chosen == WEB2


def test_the_healthcheck_says_how() -> None:
    check = Healthcheck(test=("CMD", "true"), interval=2, timeout=9, retries=7, start_period=60)
    web = Service(name="web", role=Role.WEB, healthcheck=check)
    assert rule(web) == Rule(every=2, within=9, failures=7, start=60)
    assert rule(Service(name="db", role=Role.DATABASE)) == Rule(data=True)
