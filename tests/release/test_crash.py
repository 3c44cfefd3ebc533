"""`kill -9` of the command at every moment, and the next command after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count

import pytest

from geartrain.app.release import Release
from geartrain.errors import GearError
from geartrain.release.steps import EnsureData, StopFirst
from geartrain.testing import Crash, Exits, World
from geartrain.testing.apps import release
from tests.release.place import Place, serves
from tests.release.situations import (
    SHOP,
    SITUATIONS,
    Situation,
    every_situation,
    live,
    replaced,
)


def at_once(place: Place) -> None:
    """The next command comes while things still start and drain."""


def later(place: Place) -> None:
    """The next command comes when everything has settled."""
    place.engine.settle()


def after_a_reboot(place: Place) -> None:
    """The machine went down with the command."""
    place.engine.reboot()


MEANWHILE: list[Callable[[Place], None]] = [at_once, later, after_a_reboot]


def killed_everywhere(case: Situation) -> Iterator[tuple[Place, Release, int]]:
    """The situation anew, with the command killed at its first moment, its second, and so on."""
    there = Place()
    target = case.prepare(there)
    for moment in count(1):
        place = there.copy()
        place.engine.moments.kill_at(moment)
        try:
            place.up(target)
        except Crash:
            place.engine.moments.revive()
            yield place, target, moment
        else:
            return


def loses_nothing(place: Place, worlds: list[World]) -> None:
    """What is routed answers in each of these worlds."""
    for world in worlds:
        routed = place.known.get(world.routed) if world.routed else None
        assert serves(world, routed), world


@pytest.mark.parametrize("meanwhile", MEANWHILE)
@every_situation()
def test_the_same_command_again_finishes_it(
    case: Situation, meanwhile: Callable[[Place], None]
) -> None:
    for place, target, _ in killed_everywhere(case):
        meanwhile(place)
        place.up(target)
        place.achieved(target)


@pytest.mark.parametrize("meanwhile", MEANWHILE)
@every_situation()
def test_a_different_target_after_it_gets_live_and_nothing_is_left_over(
    case: Situation, meanwhile: Callable[[Place], None]
) -> None:
    for place, _, _ in killed_everywhere(case):
        meanwhile(place)
        other = release(9, replaced(SHOP, "web", replicas=1), "yet another")
        place.up(other)
        place.achieved(other)


@pytest.mark.parametrize("meanwhile", MEANWHILE)
@every_situation()
def test_the_live_release_can_be_converged_to_after_it(
    case: Situation, meanwhile: Callable[[Place], None]
) -> None:
    for place, _, _ in killed_everywhere(case):
        if place.live is None:
            continue
        meanwhile(place)
        place.up(place.known[place.live])
        place.achieved(place.known[place.live])


@every_situation()
def test_a_second_crash_changes_nothing(case: Situation) -> None:
    for place, target, moment in killed_everywhere(case):
        place.engine.moments.kill_at(moment)
        with suppress(Crash):
            place.up(target)
        place.engine.moments.revive()
        place.up(target)
        place.achieved(target)


@every_situation()
def test_no_request_is_lost_whenever_the_command_is_killed(case: Situation) -> None:
    for place, target, _ in killed_everywhere(case):
        if not serves(place.engine.world, place.known.get(place.live or 0)):
            continue
        steps = place.plan(target)
        if any(isinstance(step, StopFirst | EnsureData) for step in steps):
            continue
        before = len(place.engine.worlds)
        place.up(target)
        loses_nothing(place, place.engine.worlds[before:])


@pytest.mark.parametrize("meanwhile", MEANWHILE)
def test_killed_while_it_goes_back(meanwhile: Callable[[Place], None]) -> None:
    """The new version fails, and the command is killed anywhere on its way back."""
    there = Place()
    before = live(there, 1)
    for moment in count(1):
        place = there.copy()
        place.engine.script.behave("worker", Exits(tail=("no queue",)), release=2)
        target = release(2, replaced(SHOP, "web", replicas=3))
        place.engine.moments.kill_at(moment)
        with pytest.raises((Crash, GearError)) as caught:
            place.up(target)
        place.engine.moments.revive()
        assert place.live == 1
        if caught.type is GearError:
            place.engine.settle()
            place.runs(before)
            return
        meanwhile(place)
        with pytest.raises(GearError, match="worker failed"):
            place.up(target)
        if meanwhile is not after_a_reboot:
            place.engine.settle()
            place.runs(before)
        mended = release(3, SHOP, "mended")
        place.up(mended)
        place.achieved(mended)


def test_migrations_never_run_side_by_side() -> None:
    for case in SITUATIONS:
        for place, target, _ in killed_everywhere(case):
            place.up(target)
            for world in place.engine.worlds:
                assert sum(i.id.index == 0 for i in world.instances) < 2, case.name


def test_what_is_dead_does_nothing_more() -> None:
    place = Place()
    place.engine.moments.kill_at(5)
    with pytest.raises(Crash):
        place.up(release(1, SHOP))
    world = place.engine.world
    with pytest.raises(Crash):
        place.engine.stop(())
    assert place.engine.world == world
