"""Situations in which somebody says `gear up`: what was there, and what shall be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from geartrain.app.model import App, Limits, Order, Update
from geartrain.app.policy import ServicePolicy
from geartrain.app.release import InstanceId, Release
from geartrain.engine.protocol import State
from geartrain.release.steps import Record, Retire, Start, Step, Switch
from geartrain.testing import Crash, Exclusive
from geartrain.testing.apps import app, job, one_shot, postgres, redis, release, web, worker
from tests.release.place import Place

MIGRATING = ServicePolicy(release="python migrate.py")

SHOP = app(
    web("web", "postgres", "redis", gear=MIGRATING, replicas=2),
    worker("worker", "redis"),
    postgres(),
    redis(),
)
NO_WEB = app(worker(), redis())


@dataclass(frozen=True)
class Situation:
    """`prepare` makes what was there and returns the release that shall be."""

    name: str
    prepare: Callable[[Place], Release]


SITUATIONS: list[Situation] = []


def situation(prepare: Callable[[Place], Release]) -> Callable[[Place], Release]:
    SITUATIONS.append(Situation(prepare.__name__.replace("_", "-"), prepare))
    return prepare


def every_situation() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", SITUATIONS, ids=lambda case: case.name)


def live(place: Place, number: int, what: App = SHOP) -> Release:
    """Bring a release up and let its predecessor drain."""
    target = release(number, what, f"source {number}")
    place.up(target)
    place.engine.settle()
    return target


def broken_off(place: Place, target: Release, after: type[Step]) -> None:
    """Have the command killed right after its first step of a kind."""
    steps = place.plan(target)
    last = next(n for n, step in enumerate(steps) if isinstance(step, after))
    place.apply(steps[: last + 1], target)


def replaced(what: App, name: str, **fields: object) -> App:
    service = replace(what.services[name], **fields)
    return replace(what, services={**what.services, name: service})


def without(what: App, name: str) -> App:
    left = {n: s for n, s in what.services.items() if n != name}
    return replace(what, services=left)


@situation
def first_start(place: Place) -> Release:
    return release(1, SHOP)


@situation
def no_change(place: Place) -> Release:
    return live(place, 1)


@situation
def code_change(place: Place) -> Release:
    live(place, 1)
    return release(2, SHOP, "changed")


@situation
def only_the_database_is_defined_differently(place: Place) -> Release:
    live(place, 1)
    return release(2, replaced(SHOP, "postgres", limits=Limits(memory=2**30)))


@situation
def a_database_is_added(place: Place) -> Release:
    live(place, 1, without(SHOP, "redis"))
    return release(2, SHOP)


@situation
def more_replicas(place: Place) -> Release:
    live(place, 1)
    return release(2, replaced(SHOP, "web", replicas=4))


@situation
def fewer_replicas(place: Place) -> Release:
    live(place, 1)
    return release(2, replaced(SHOP, "web", replicas=1))


@situation
def replicas_in_parts(place: Place) -> Release:
    live(place, 1)
    update = Update(parallelism=2, delay=0.01)
    return release(2, replaced(SHOP, "web", replicas=5, update=update))


@situation
def a_worker_is_removed(place: Place) -> Release:
    live(place, 1)
    return release(2, without(SHOP, "worker"))


@situation
def a_cache_is_removed(place: Place) -> Release:
    live(place, 1)
    return release(2, app(web("web", "postgres"), postgres()))


@situation
def one_shots_come_before_what_needs_them(place: Place) -> Release:
    return release(1, app(web("web", "setup"), one_shot("setup", "postgres"), postgres()))


@situation
def one_shots_run_again_in_a_new_release(place: Place) -> Release:
    shop = app(web("web", "setup"), one_shot("setup", "postgres"), postgres())
    live(place, 1, shop)
    return release(2, shop, "changed")


@situation
def jobs(place: Place) -> Release:
    shop = app(web(), job("report", "postgres"), postgres())
    live(place, 1, shop)
    return release(2, shop, "changed")


@situation
def stop_first_as_declared(place: Place) -> Release:
    shop = replaced(SHOP, "web", update=Update(order=Order.STOP_FIRST))
    live(place, 1, shop)
    return release(2, shop, "changed")


@situation
def stop_first_since_it_takes_every_address(place: Place) -> Release:
    place.engine.script.behave("web", Exclusive())
    shop = replaced(SHOP, "web", replicas=1)
    live(place, 1, shop)
    return release(2, shop, "changed")


@situation
def half_started_and_the_same_again(place: Place) -> Release:
    live(place, 1)
    target = release(2, SHOP, "changed")
    broken_off(place, target, Start)
    return target


@situation
def half_started_and_then_another(place: Place) -> Release:
    live(place, 1)
    broken_off(place, release(2, SHOP, "changed"), Start)
    return release(3, SHOP, "changed again")


@situation
def half_started_and_still_starting(place: Place) -> Release:
    live(place, 1)
    target = release(2, SHOP, "changed")
    broken_off(place, target, Start)
    place.engine.change(InstanceId(service="web", release=2), State.BACKOFF)
    return target


@situation
def half_started_and_failed_meanwhile(place: Place) -> Release:
    live(place, 1)
    target = release(2, SHOP, "changed")
    broken_off(place, target, Start)
    place.engine.change(InstanceId(service="web", release=2), State.FAILED, code=1)
    return target


@situation
def switched_but_not_recorded(place: Place) -> Release:
    live(place, 1)
    target = release(2, SHOP, "changed")
    broken_off(place, target, Switch)
    return target


@situation
def switched_but_not_recorded_and_then_another(place: Place) -> Release:
    live(place, 1)
    broken_off(place, release(2, SHOP, "changed"), Switch)
    return release(3, SHOP, "changed again")


@situation
def switched_but_not_recorded_and_then_back(place: Place) -> Release:
    before = live(place, 1)
    broken_off(place, release(2, SHOP, "changed"), Switch)
    return before


@situation
def recorded_but_not_retired(place: Place) -> Release:
    live(place, 1)
    target = release(2, SHOP, "changed")
    broken_off(place, target, Record)
    return target


@situation
def recorded_but_not_retired_and_then_another(place: Place) -> Release:
    live(place, 1)
    broken_off(place, release(2, SHOP, "changed"), Record)
    return release(3, SHOP, "changed again")


@situation
def the_old_release_still_drains(place: Place) -> Release:
    live(place, 1)
    target = release(2, SHOP, "changed")
    broken_off(place, target, Retire)
    return target


@situation
def back_to_what_still_drains(place: Place) -> Release:
    before = live(place, 1)
    broken_off(place, release(2, SHOP, "changed"), Retire)
    return before


@situation
def killed_during_a_migration_and_then_another(place: Place) -> Release:
    live(place, 1)
    killed = release(2, SHOP, "changed")
    migration = InstanceId(service="web", release=2, index=0)
    place.engine.moments.kill_when(lambda: place.engine.world.find(migration) is not None)
    with pytest.raises(Crash):
        place.up(killed)
    place.engine.moments.revive()
    return release(3, SHOP, "changed again")


@situation
def the_edge_runs_an_old_generation(place: Place) -> Release:
    before = live(place, 1)
    target = live(place, 2)
    place.engine.switch(before)
    return target


@situation
def the_edge_is_gone(place: Place) -> Release:
    target = live(place, 1)
    place.engine.switch(release(9, NO_WEB))
    return target


@situation
def nothing_runs_after_a_reboot(place: Place) -> Release:
    target = live(place, 1)
    place.engine.reboot()
    return target


@situation
def changed_while_it_was_down(place: Place) -> Release:
    live(place, 1)
    place.engine.reboot()
    return release(2, SHOP, "changed")


@situation
def the_database_is_in_trouble(place: Place) -> Release:
    target = live(place, 1)
    place.engine.change(InstanceId(service="postgres"), State.FAILED, code=1)
    return target


@situation
def a_worker_has_failed_for_good(place: Place) -> Release:
    target = live(place, 1)
    place.engine.change(InstanceId(service="worker", release=1), State.FAILED, code=1)
    return target


@situation
def a_web_instance_has_failed_for_good(place: Place) -> Release:
    """It may come back at another address, so nginx has to be told."""
    target = live(place, 1)
    place.engine.change(InstanceId(service="web", release=1, index=2), State.FAILED, code=1)
    return target


@situation
def nothing_answers_http(place: Place) -> Release:
    live(place, 1, NO_WEB)
    return release(2, NO_WEB, "changed")


@situation
def nothing_answers_http_any_more(place: Place) -> Release:
    live(place, 1, app(web(), worker(), redis()))
    return release(2, NO_WEB)


@situation
def only_data_services(place: Place) -> Release:
    return release(1, app(postgres(), redis()))
