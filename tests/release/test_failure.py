"""A step that fails: the live release is as it was, and the reason is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from geartrain.app.model import Limits, Order, Update
from geartrain.app.release import InstanceId, Release
from geartrain.engine.protocol import State
from geartrain.errors import Exit, GearError
from geartrain.testing import Exclusive, Exits, MemoryEngine, NeverAnswers
from geartrain.testing.apps import release
from tests.release.place import Place, serves
from tests.release.situations import SHOP, live, replaced

TAIL = ("Traceback (most recent call last):", "KeyError: 'QUEUE'")
BROKEN = release(2, replaced(SHOP, "postgres", limits=Limits(memory=2**30)), "broken")


@dataclass(frozen=True)
class Failure:
    """How release 2 fails, and what the user reads."""

    name: str
    script: Callable[[MemoryEngine], None]
    what: str
    where: str = ""
    tail: tuple[str, ...] = ()


FAILURES = [
    Failure(
        "build",
        lambda e: e.script.fail_build("uv: no such package: flaks", release=2),
        "uv: no such package: flaks",
    ),
    Failure(
        "data",
        lambda e: e.script.fail_data("postgres", "it ended with exit code 1", release=2),
        "postgres did not get ready: it ended with exit code 1",
        "postgres",
    ),
    Failure(
        "migration",
        lambda e: e.script.fail_migration("web", Exits(code=3, tail=TAIL), release=2),
        "the release command of web failed: ended with exit code 3",
        "web.2.0",
        TAIL,
    ),
    Failure(
        "exits",
        lambda e: e.script.behave("worker", Exits(tail=TAIL), release=2),
        "the new version of worker failed: ended with exit code 1",
        "worker.2.1",
        TAIL,
    ),
    Failure(
        "never-answers",
        lambda e: e.script.behave("web", NeverAnswers(tail=TAIL), release=2),
        "the new version of web failed: no answer within 30 s",
        "web.2.1",
        TAIL,
    ),
    Failure(
        "switch",
        lambda e: e.script.refuse_switch('unknown directive "prox_pass"', release=2),
        'nginx refuses its configuration: unknown directive "prox_pass"',
    ),
]
each_failure = pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.name)


def fails(place: Place, target: Release) -> GearError:
    with pytest.raises(GearError) as caught:
        place.up(target)
    place.engine.settle()
    return caught.value


@each_failure
def test_the_live_release_is_as_it_was(failure: Failure) -> None:
    place = Place()
    before = live(place, 1)
    failure.script(place.engine)
    since = len(place.engine.worlds)
    error = fails(place, BROKEN)
    assert (place.live, place.log) == (1, [1])
    place.runs(before)
    assert all(serves(world, before) for world in place.engine.worlds[since:])
    assert (error.what, error.where, error.tail) == (failure.what, failure.where, failure.tail)
    assert error.problems == ()


@each_failure
def test_a_first_start_that_fails_leaves_no_instance_of_it(failure: Failure) -> None:
    place = Place()
    failure.script(place.engine)
    error = fails(place, BROKEN)
    assert place.live is None
    assert error.what == failure.what
    left = {i.id.name for i in place.engine.world.instances}
    assert left <= {"postgres", "redis"}


@each_failure
def test_it_fails_the_same_way_again_and_a_mended_one_gets_live(failure: Failure) -> None:
    place = Place()
    before = live(place, 1)
    failure.script(place.engine)
    assert str(fails(place, BROKEN)) == str(fails(place, BROKEN))
    place.runs(before)
    mended = release(3, SHOP, "mended")
    place.up(mended)
    place.achieved(mended)


@each_failure
def test_what_was_down_before_stays_down(failure: Failure) -> None:
    place = Place()
    live(place, 1)
    place.engine.reboot()
    failure.script(place.engine)
    fails(place, BROKEN)
    assert {i.id.name for i in place.engine.world.instances} <= {"postgres", "redis"}


def test_a_failing_record_sends_requests_back_before_anything_stops() -> None:
    place = Place()
    before = live(place, 1)
    place.record_fails = GearError("somebody else changed this host's history", code=Exit.BUSY)
    since = len(place.engine.worlds)
    error = fails(place, release(2, SHOP, "changed"))
    assert error.code is Exit.BUSY
    assert place.live == 1
    place.runs(before)
    both = {1: before, 2: release(2, SHOP, "changed"), None: None}
    assert all(serves(w, both[w.routed]) for w in place.engine.worlds[since:])


def test_ctrl_c_after_the_switch_goes_back_too() -> None:
    place = Place()
    before = live(place, 1)
    place.record_fails = KeyboardInterrupt()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        place.up(release(2, SHOP, "changed"))
    place.engine.settle()
    place.runs(before)


@pytest.mark.parametrize("declared", [True, False])
@each_failure
def test_what_had_to_stop_first_comes_back(failure: Failure, declared: bool) -> None:
    place = Place()
    order = Update(order=Order.STOP_FIRST if declared else Order.START_FIRST)
    shop = replaced(replaced(SHOP, "web", replicas=1, update=order), "worker", update=order)
    if not declared:
        place.engine.script.behave("web", Exclusive())
    before = live(place, 1, shop)
    failure.script(place.engine)
    broken = replaced(shop, "postgres", limits=Limits(memory=2**30))
    fails(place, release(2, broken, "broken"))
    place.runs(before)


def test_what_does_not_come_back_is_told_with_the_first_failure() -> None:
    place = Place()
    shop = replaced(SHOP, "web", update=Update(order=Order.STOP_FIRST))
    live(place, 1, shop)
    place.engine.script.behave("web", Exits(code=1, tail=("no module named flask",)))
    error = fails(place, release(2, shop, "broken"))
    assert error.where == "web.2.1"
    assert str(error).splitlines() == [
        "web.2.1: the new version of web failed: ended with exit code 1",
        "  release 1: going back failed too: the new version of web failed: ended with exit code 1",
        "    → `gear ps` shows what runs; `gear up` starts from there",
        "  last log lines:",
        "    no module named flask",
        "  → `gear logs web` shows all of it; mend it and run the same again",
    ]


def test_a_failure_after_the_record_undoes_nothing() -> None:
    place = Place()
    live(place, 1)
    target = release(2, SHOP, "changed")

    def refuse(_: object) -> None:
        raise GearError("the supervisor ended while it was asked to retire")

    place.engine.retire = refuse  # type: ignore[method-assign]
    fails(place, target)
    del place.engine.retire
    assert place.live == 2
    assert place.engine.world.routed == 2
    place.up(target)
    place.achieved(target)


def test_a_new_version_that_only_restarts_does_not_get_the_requests() -> None:
    """A crash leaves it half started; the engine keeps trying; it has to get ready all the same."""
    place = Place()
    before = live(place, 1)
    target = release(2, SHOP, "changed")
    place.engine.build(target, lambda _: None)
    place.engine.start(target, [InstanceId(service="web", release=2)])
    place.engine.change(InstanceId(service="web", release=2), State.BACKOFF)
    place.engine.script.behave("web", NeverAnswers(), release=2)
    fails(place, target)
    place.runs(before)


def test_a_converge_that_fails_leaves_what_runs() -> None:
    place = Place()
    target = live(place, 1)
    place.engine.change(InstanceId(service="worker", release=1), State.FAILED, code=1)
    place.engine.script.behave("worker", Exits(), release=1)
    fails(place, target)
    world = place.engine.world
    assert world.routed == 1
    assert world.fine(1) == ("web.1.1", "web.1.2")
