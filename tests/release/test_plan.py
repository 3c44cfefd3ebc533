"""The plan of each situation, as `gear plan` prints it."""

from __future__ import annotations

from geartrain.release.steps import Retire, StopFirst
from tests.conftest import Golden
from tests.release.place import Place
from tests.release.situations import SITUATIONS, Situation, every_situation


def test_every_plan_reads_as_before(golden: Golden) -> None:
    tree = {}
    for case in SITUATIONS:
        place = Place()
        target = case.prepare(place)
        steps = place.plan(target)
        text = "".join(f"{step}\n" for step in steps) or "nothing to do\n"
        tree[f"{case.name}.txt"] = (0o644, text)
    golden("plans", tree)


@every_situation()
def test_planning_against_the_achieved_state_is_empty(case: Situation) -> None:
    place = Place()
    target = case.prepare(place)
    place.up(target)
    place.achieved(target)


@every_situation()
def test_planning_while_the_old_release_drains_is_empty(case: Situation) -> None:
    place = Place()
    target = case.prepare(place)
    place.up(target)
    assert place.plan(target) == ()


@every_situation()
def test_a_plan_that_is_carried_out_twice_does_no_harm(case: Situation) -> None:
    place = Place()
    target = case.prepare(place)
    steps = place.up(target)
    place.apply(steps, target)
    place.achieved(target)


def test_nothing_is_stopped_twice() -> None:
    for case in SITUATIONS:
        place = Place()
        steps = place.plan(case.prepare(place))
        stopped = [one for s in steps if isinstance(s, StopFirst | Retire) for one in s.ids]
        assert len(stopped) == len(set(stopped)), case.name
