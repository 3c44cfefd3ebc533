"""What is true of every plan, whatever the app and whatever is there."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from geartrain.app.model import App, Order, Role, Service, Update
from geartrain.app.policy import ServicePolicy
from geartrain.app.release import InstanceId, Release, instances
from geartrain.engine.protocol import Instance, Observed, State
from geartrain.release.plan import plan
from geartrain.release.steps import (
    Build,
    EnsureData,
    Migrate,
    Record,
    Retire,
    Start,
    Step,
    StopFirst,
    Switch,
)
from geartrain.testing import Crash
from geartrain.testing.apps import app, release, service, web
from tests.release.place import Place

NAMES = ("api", "bell", "cron", "desk")
STATELESS = (Role.WORKER, Role.JOB, Role.OTHER)


@st.composite
def services(draw: st.DrawFn, name: str, before: tuple[str, ...]) -> Service:
    needs = draw(st.lists(st.sampled_from((*before, "db")), unique=True, max_size=2))
    role = draw(st.sampled_from(STATELESS))
    schedule = "0 3 * * *" if role is Role.JOB else None
    return service(
        name,
        role,
        *needs,
        replicas=draw(st.integers(1, 2)),
        one_shot=role is Role.WORKER and draw(st.booleans()),
        update=Update(order=draw(st.sampled_from(Order))),
        gear=ServicePolicy(schedule=schedule, release=draw(st.sampled_from((None, "migrate")))),
        environment={"V": draw(st.sampled_from("12"))},
    )


@st.composite
def apps(draw: st.DrawFn) -> App:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=3))
    found = [draw(services(name, tuple(names[:index]))) for index, name in enumerate(names)]
    if draw(st.booleans()):
        found.append(web("web", *names[:1], replicas=draw(st.integers(1, 2))))
    memory = draw(st.sampled_from("12"))
    return app(*found, service("db", Role.DATABASE, environment={"M": memory}))


@st.composite
def worlds(draw: st.DrawFn, target: Release) -> Observed:
    """Anything at all: instances of four releases in any state."""
    wanted = [i for s in target.app.services.values() for i in instances(target, s)]
    others = [InstanceId(service=n, release=r) for n in (*NAMES, "web") for r in (1, 2, 4)]
    seen = draw(st.lists(st.sampled_from([*wanted, *others]), unique=True))
    found = tuple(
        Instance(
            id=one,
            role=Role.DATABASE if one.release is None else Role.WEB,
            state=draw(st.sampled_from(State)),
            exclusive=draw(st.sampled_from(("", "it listens on 0.0.0.0:80"))),
            code=0,
        )
        for one in seen
    )
    return Observed(instances=found, routed=draw(st.sampled_from((None, 1, 2, 3, 4))))


def index(steps: tuple[Step, ...], *kinds: type[Step]) -> list[int]:
    return [n for n, step in enumerate(steps) if isinstance(step, kinds)]


@given(st.data())
def test_steps_come_in_an_order_that_loses_nothing(data: st.DataObject) -> None:
    target = release(3, data.draw(apps()))
    live = data.draw(st.sampled_from((None, 1, 2, 3)))
    seen = data.draw(worlds(target))
    steps = plan(target, live, seen)
    order = [index(steps, kind) for kind in (Build, EnsureData, Migrate, Start, Switch, Record)]
    flat = [n for found in order for n in found]
    assert flat == sorted(flat), "build, data, migrations, starts, switch, record"
    assert [len(order[0]), len(order[4]), len(order[5])] <= [1, 1, 1]
    assert bool(order[5]) == (live != 3)
    serving = {live, seen.routed, None}
    until = order[4][0] if order[4] else order[5][0] if order[5] else -1
    for step in steps[: until + 1]:
        if isinstance(step, Retire):
            assert {one.release for one in step.ids}.isdisjoint(serving)
        if isinstance(step, StopFirst):
            for one in step.ids:
                declared = target.app.services[one.service].update.order is Order.STOP_FIRST
                others = [i for i in seen.instances if i.id.service == one.service]
                assert declared or any(i.exclusive for i in others)


@given(st.data())
def test_nothing_wanted_is_stopped_and_nothing_unwanted_stays(data: st.DataObject) -> None:
    target = release(3, data.draw(apps()))
    seen = data.draw(worlds(target))
    steps = plan(target, data.draw(st.sampled_from((None, 2, 3))), seen)
    wanted = {i for s in target.app.services.values() for i in instances(target, s)}
    stopped = {i for s in steps if isinstance(s, StopFirst | Retire) for i in s.ids}
    started = {i for s in steps if isinstance(s, Start) for i in s.ids}
    assert stopped.isdisjoint(wanted)
    assert started <= wanted
    unwanted = {i.id for i in seen.instances if i.id not in wanted}
    ending = {i.id for i in seen.instances if i.state is State.STOPPING}
    assert unwanted <= stopped | ending
    fine = {i.id for i in seen.instances if i.fine}
    assert {i for i in wanted if i.release == 3} <= started | fine | {
        i.id for i in seen.instances if i.state in (State.BACKOFF, State.UNHEALTHY)
    }


@settings(deadline=None)
@given(st.data())
def test_any_history_of_releases_and_crashes_ends_in_the_last_one(data: st.DataObject) -> None:
    place = Place()
    for number in range(1, data.draw(st.integers(2, 4))):
        target = release(number, data.draw(apps()), str(number))
        place.engine.moments.kill_at(data.draw(st.none() | st.integers(1, 40)))
        try:
            place.up(target)
        except Crash:
            place.engine.moments.revive()
        place.engine.moments.revive()
        happens = data.draw(st.sampled_from(("nothing", "time", "reboot")))
        if happens == "time":
            place.engine.settle()
        elif happens == "reboot":
            place.engine.reboot()
    last = release(9, data.draw(apps()), "last")
    place.up(last)
    place.achieved(last)
