"""What every engine keeps: the tests of the `Engine` protocol.

A subclass brings a `place` fixture: an engine, and releases for it whose
services behave as asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import pytest

from geartrain.app.model import Role
from geartrain.app.release import InstanceId, Release, definition, instances
from geartrain.engine.protocol import Engine, Instance, Outcome, State
from geartrain.errors import GearError

WORDS = ("first line", "KeyError: 'QUEUE'")
"""What a service that ends, or a release command that fails, says last."""


class Place(Protocol):
    """An engine with what a test needs around it."""

    engine: Engine
    refusal: str
    """What an edge says that refuses a release."""

    def release(
        self,
        number: int,
        *,
        web: str | None = "good",
        replicas: int = 1,
        others: tuple[str, ...] = (),
        migration: str | None = None,
        memory: int = 0,
        edge: str = "good",
    ) -> Release:
        """A release of an app with a web service.

        Args:
            number: its number.
            web: `good`, `exits` (saying WORDS, with 3) or `silent` (never answers); None for no
                such service.
            replicas: copies of it.
            others: of `worker`, `job`, `one-shot`, `failing-one-shot` and `cache`.
            migration: `works`, `fails` (saying WORDS, with 4) or `hangs`.
            memory: a limit of the cache, to define it differently.
            edge: `good`, or `refused`.
        """
        ...

    def client(self) -> Engine:
        """The engine as another command sees it."""
        ...

    def kill(self, one: InstanceId) -> None:
        """`kill -9` of an instance."""
        ...

    def abandon_migration(self, release: Release) -> None:
        """Have a command killed in the middle of its release command."""
        ...

    def asked(self) -> str:
        """What a client of the app gets: `release 7`, or "" when nothing answers."""
        ...


def say(_: str) -> None:
    """Nobody listens."""


def seen(place: Place, one: InstanceId) -> Instance:
    found = place.engine.observe().find(one)
    assert found is not None
    return found


def eventually(true: Callable[[], bool], within: float = 60.0) -> None:
    end = time.monotonic() + within
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def ids(release: Release, *names: str) -> tuple[InstanceId, ...]:
    """The instances of some services, or of all that a release replaces."""
    services = release.app.services
    names = names or tuple(name for name, service in services.items() if service.stateless)
    return tuple(i for name in names for i in instances(release, services[name]))


def up(place: Place, release: Release, *names: str) -> tuple[Outcome, ...]:
    """Build and start services, and wait for them."""
    place.engine.check(release)
    place.engine.build(release, say)
    wanted = ids(release, *names)
    place.engine.start(release, wanted)
    return place.engine.ready(wanted)


def live(place: Place, release: Release) -> None:
    assert all(outcome.ok for outcome in up(place, release))
    place.engine.switch(release)


class EngineContract:
    """Tests that every engine passes."""

    # -- starting and observing ---------------------------------------------

    def test_at_first_there_is_nothing(self, place: Place) -> None:
        observed = place.engine.observe()
        assert (observed.instances, observed.routed) == ((), None)

    def test_what_is_started_gets_ready_and_is_seen(self, place: Place) -> None:
        release = place.release(1, replicas=2)
        outcomes = up(place, release)
        assert {(o.id.name, o.ok) for o in outcomes} == {("web.1.1", True), ("web.1.2", True)}
        for one in ids(release):
            there = seen(place, one)
            assert (there.state, there.role) == (State.READY, Role.WEB)
            assert there.definition == release.fingerprint

    def test_starting_again_leaves_alone_what_runs(self, place: Place) -> None:
        release = place.release(1)
        up(place, release)
        (one,) = ids(release)
        before = seen(place, one)
        assert all(outcome.ok for outcome in up(place, release))
        assert seen(place, one) == before

    def test_another_command_sees_the_same_and_starts_nothing_twice(self, place: Place) -> None:
        release = place.release(1)
        up(place, release)
        other = place.client()
        assert other.observe() == place.engine.observe()
        other.build(release, say)
        other.start(release, ids(release))
        assert other.observe() == place.engine.observe()

    def test_two_releases_run_side_by_side(self, place: Place) -> None:
        first, second = place.release(1), place.release(2)
        live(place, first)
        assert all(outcome.ok for outcome in up(place, second))
        assert {i.state for i in place.engine.observe().instances} == {State.READY}
        assert place.engine.observe().routed == 1
        assert place.asked() == "release 1"

    # -- not getting ready --------------------------------------------------

    def test_one_that_ends_is_told_with_reason_and_last_words(self, place: Place) -> None:
        outcome = up(place, place.release(1, web="exits", others=("worker",)))[0]
        assert (outcome.id.name, outcome.ok) == ("web.1.1", False)
        assert "ended with exit code 3" in outcome.reason
        assert outcome.tail == WORDS

    def test_waiting_for_one_that_never_answers_is_bounded(self, place: Place) -> None:
        (outcome,) = up(place, place.release(1, web="silent"))
        assert not outcome.ok
        assert outcome.reason

    def test_what_failed_can_be_started_again(self, place: Place) -> None:
        release = place.release(1, web="exits")
        assert not up(place, release)[0].ok
        assert not up(place, release)[0].ok
        (one,) = ids(release)
        assert not seen(place, one).fine

    # -- one-shots and jobs -------------------------------------------------

    def test_a_one_shot_is_ready_once_it_has_ended_well(self, place: Place) -> None:
        release = place.release(1, others=("one-shot",))
        (outcome,) = up(place, release, "one-shot")
        assert outcome.ok
        there = seen(place, outcome.id)
        assert (there.state, there.code, there.fine) == (State.EXITED, 0, True)

    def test_a_one_shot_that_fails_is_told(self, place: Place) -> None:
        release = place.release(1, others=("failing-one-shot",))
        (outcome,) = up(place, release, "failing-one-shot")
        assert "ended with exit code 3" in outcome.reason
        assert outcome.tail == WORDS
        assert not seen(place, outcome.id).fine

    def test_a_job_waits_for_its_time(self, place: Place) -> None:
        release = place.release(1, others=("job",))
        (outcome,) = up(place, release, "job")
        assert outcome.ok
        assert seen(place, outcome.id).state is State.SCHEDULED

    # -- stopping -----------------------------------------------------------

    def test_what_is_stopped_is_gone_and_stopping_again_does_no_harm(self, place: Place) -> None:
        release = place.release(1, others=("worker",))
        up(place, release)
        for _ in range(2):
            place.engine.stop(ids(release, "web"))
            assert {i.id.service for i in place.engine.observe().instances} == {"worker"}
        place.engine.stop([InstanceId(service="nobody", release=9)])
        place.engine.stop([])

    def test_what_was_stopped_can_be_started_again(self, place: Place) -> None:
        release = place.release(1)
        up(place, release)
        place.engine.stop(ids(release))
        assert all(outcome.ok for outcome in up(place, release))

    def test_what_retires_is_gone_once_drained(self, place: Place) -> None:
        first, second = place.release(1), place.release(2)
        live(place, first)
        live(place, second)
        place.engine.retire(ids(first))
        place.engine.retire(ids(first))
        left = place.engine.observe().find(*ids(first))
        assert left is None or left.state is State.STOPPING
        eventually(lambda: place.engine.drained(10.0))
        assert place.engine.observe().find(*ids(first)) is None
        assert place.asked() == "release 2"
        place.engine.retire([InstanceId(service="nobody", release=9), *ids(first)])
        assert place.engine.drained(10.0)

    def test_what_retires_and_is_wanted_again_stays(self, place: Place) -> None:
        first, second = place.release(1), place.release(2)
        live(place, first)
        live(place, second)
        place.engine.retire(ids(first))
        live(place, first)
        place.engine.retire(ids(second))
        eventually(lambda: place.engine.drained(10.0))
        names = {i.id.name for i in place.engine.observe().instances if i.role == Role.WEB}
        assert names == {"web.1.1"}
        assert seen(place, *ids(first)).state is State.READY
        assert place.asked() == "release 1"

    def test_what_goes_for_good_after_the_build_is_started_anew(self, place: Place) -> None:
        first, second = place.release(1), place.release(2)
        live(place, first)
        live(place, second)
        place.engine.retire(ids(first))
        again = place.client()
        again.build(first, say)  # while it is still there
        eventually(lambda: place.engine.drained(10.0))
        again.start(first, ids(first))
        assert all(outcome.ok for outcome in again.ready(ids(first)))

    def test_there_is_nothing_to_drain(self, place: Place) -> None:
        assert place.engine.drained(5.0)

    # -- the edge -----------------------------------------------------------

    def test_requests_go_where_they_were_switched_to(self, place: Place) -> None:
        for number in (1, 2):
            release = place.release(number)
            live(place, release)
            place.engine.switch(release)
            assert place.engine.observe().routed == number
            assert place.client().observe().routed == number
            assert place.asked() == f"release {number}"

    def test_a_switch_leaves_nothing_that_a_visitor_waits_for(self, place: Place) -> None:
        """Whatever was asked to see that it works: the app answers HEAD with a body."""
        live(place, place.release(1))
        assert [place.asked() for _ in range(8)] == ["release 1"] * 8

    def test_switching_back(self, place: Place) -> None:
        first, second = place.release(1), place.release(2)
        live(place, first)
        live(place, second)
        place.engine.switch(first)
        assert place.engine.observe().routed == 1
        assert place.asked() == "release 1"

    def test_an_edge_that_refuses_goes_on_as_before(self, place: Place) -> None:
        live(place, place.release(1))
        second = place.release(2, edge="refused")
        up(place, second)
        with pytest.raises(GearError, match=place.refusal):
            place.engine.switch(second)
        assert place.engine.observe().routed == 1
        assert place.asked() == "release 1"

    def test_an_app_that_answers_no_http_is_not_routed(self, place: Place) -> None:
        live(place, place.release(1))
        second = place.release(2, web=None, others=("worker",))
        live(place, second)
        assert place.engine.observe().routed is None
        assert place.asked() == ""

    # -- release commands ---------------------------------------------------

    def test_a_release_command_runs_once_and_leaves_nothing(self, place: Place) -> None:
        release = place.release(1, migration="works")
        place.engine.build(release, say)
        for _ in range(2):
            outcome = place.engine.migrate(release, release.app.services["web"])
            assert (outcome.ok, outcome.reason) == (True, "")
            assert place.engine.observe().instances == ()

    def test_a_release_command_that_fails_is_told(self, place: Place) -> None:
        release = place.release(1, migration="fails")
        place.engine.build(release, say)
        outcome = place.engine.migrate(release, release.app.services["web"])
        assert not outcome.ok
        assert "ended with exit code 4" in outcome.reason
        assert outcome.tail == WORDS
        assert place.engine.observe().instances == ()

    def test_one_that_a_killed_command_left_is_ended_before_the_next(self, place: Place) -> None:
        hanging = place.release(1, migration="hangs")
        place.abandon_migration(hanging)
        (left,) = place.engine.observe().instances
        assert (left.id.index, left.id.release) == (0, 1)
        release = place.release(2, migration="works")
        engine = place.client()
        engine.build(release, say)
        assert engine.migrate(release, release.app.services["web"]).ok
        assert engine.observe().instances == ()

    # -- data services ------------------------------------------------------

    def test_a_data_service_outlives_releases_and_gets_its_new_definition(
        self, place: Place
    ) -> None:
        one = InstanceId(service="cache")
        release = place.release(1, others=("cache",))
        service = release.app.services["cache"]
        place.engine.ensure_data(release, service, say)
        before = seen(place, one)
        assert (before.state, before.definition) == (State.READY, definition(service))
        place.engine.ensure_data(release, service, say)
        assert seen(place, one) == before
        second = place.release(2, others=("cache",), memory=2**26)
        changed = second.app.services["cache"]
        place.engine.ensure_data(second, changed, say)
        assert seen(place, one).definition == definition(changed) != before.definition
        assert seen(place, one).state is State.READY

    # -- what happens by itself ---------------------------------------------

    def test_one_that_is_killed_comes_back(self, place: Place) -> None:
        release = place.release(1, replicas=2)
        live(place, release)
        victim, _ = ids(release)
        place.kill(victim)
        eventually(lambda: place.engine.ready([victim])[0].ok)
        eventually(lambda: place.asked() == "release 1")
