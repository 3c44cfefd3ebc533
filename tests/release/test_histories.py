"""Random histories of an app: pushes, ways back, more copies, kills, restarts of everything.

After each of them, and whatever was killed, exactly one release is live, the
right one, and it alone runs once somebody converges.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from geartrain.app.model import App, Order, Role, Update
from geartrain.app.policy import ServicePolicy
from geartrain.app.release import Release, definition, instances, scaled
from geartrain.app.routes import sites
from geartrain.engine.protocol import State
from geartrain.errors import GearError
from geartrain.release import moves, rollback
from geartrain.release.apply import Silent
from geartrain.release.deploy import Cause, deploy
from geartrain.release.events import What
from geartrain.release.ledger import Source
from geartrain.release.plan import plan
from geartrain.release.session import prepare
from geartrain.testing import Crash, Exits, MemoryEngine, NeverAnswers
from geartrain.testing.apps import app, job, one_shot, postgres, redis, web, worker
from tests.release.ledger import MemoryLedger

ALL = 10_000
CORE = 1_000
LENGTH = 9
CAUSE = Cause(by="alice", via="test")


def some_app(luck: random.Random) -> App:
    """One of the shapes that apps have."""
    gear = ServicePolicy(release="migrate") if luck.random() < 0.4 else ServicePolicy()
    order = luck.choice((Order.START_FIRST, Order.START_FIRST, Order.STOP_FIRST))
    found = [
        web(
            "web", "postgres", replicas=luck.randint(1, 3), gear=gear,
            update=Update(order=order, parallelism=luck.randint(0, 2)),
        ),
        postgres("postgres", environment={"V": luck.choice("12")}),
    ]  # fmt: skip
    if luck.random() < 0.5:
        found.append(worker("worker", "redis"))
        found.append(redis("redis"))
    if luck.random() < 0.2:
        found.append(job("report"))
    if luck.random() < 0.2:
        found.append(one_shot("setup", "postgres"))
    return app(*found)


class Host:
    """A host in memory, and who acts on it by chance."""

    def __init__(self, seed: int) -> None:
        self.luck = random.Random(seed)
        self.engine = MemoryEngine()
        self.ledger = MemoryLedger(self.engine.moments)
        self.version = 0
        self.said: list[str] = [f"seed {seed}"]

    # -- what somebody does ---------------------------------------------------

    def push(self) -> None:
        """A new version, or the last one again; it may be broken in any way."""
        luck, script = self.luck, self.engine.script
        if not self.version or luck.random() < 0.8:
            self.version += 1
            self.pushed = some_app(luck)
            number = max([self.ledger.desired().last, *self.ledger.kept]) + 1
            match luck.randint(0, 12) if number > 2 else 12:
                case 0:
                    script.behave("web", Exits(tail=("no",)), release=number)
                case 1:
                    script.behave("worker", NeverAnswers(), release=number)
                case 2:
                    script.fail_build("no space", release=number)
                case 3:
                    script.fail_migration("web", Exits(code=1), release=number)
                case 4:
                    script.refuse_switch("unknown directive", release=number)
                case 5:
                    script.fail_data("postgres", "out of memory", release=number)
        source = Source(tree=str(self.version), commit=f"c{self.version}")
        desired = self.ledger.desired()
        chosen = self.ledger.choose(self.pushed, source, desired, "")
        ready = prepare(chosen, self.engine, self.ledger, desired)
        if ready.new:
            self.ledger.save(chosen, source)
        deploy(ready, source, CAUSE, Silent(), time.monotonic(), commit=source.commit)
        assert self.ledger.desired().live == chosen.number
        assert self.ledger.desired().commit == source.commit

    def go_back(self) -> None:
        desired = self.ledger.desired()
        number = self.luck.choice([None, *self.ledger.kept])
        to = rollback.choose(self.ledger, desired, number)
        moves.roll_back(to, self.engine, self.ledger, desired, CAUSE, Silent())
        assert self.ledger.desired().live == to.number
        assert self.ledger.events()[0].what is What.ROLLED_BACK

    def scale(self) -> None:
        desired = self.ledger.desired()
        wanted = {"web": self.luck.choice((None, 1, 2, 4))}
        moves.scale(wanted, self.engine, self.ledger, desired, CAUSE, Silent())
        assert self.ledger.desired().replicas.get("web") == wanted["web"]

    def stop(self) -> None:
        moves.stop(self.engine, self.ledger, self.ledger.desired(), CAUSE)
        assert not self.engine.world.instances

    def converge(self) -> None:
        moves.converge(self.engine, self.ledger, self.ledger.desired(), Silent(), CAUSE)

    # -- what befalls it ------------------------------------------------------

    def restart(self) -> None:
        """The engine or the machine was restarted."""
        self.engine.reboot()

    def some_die(self) -> None:
        for seen in self.engine.world.instances:
            if self.luck.random() < 0.3 and seen.role != Role.JOB:
                self.engine.change(seen.id, State.FAILED, code=1)

    def time_passes(self) -> None:
        self.engine.settle()

    # -- one step of a history --------------------------------------------------

    def step(self) -> None:
        """Something happens; whoever acts may be killed anywhere in it."""
        deeds: list[Callable[[], None]] = [
            *[self.push] * 4, *[self.go_back] * 2, self.scale, self.stop, self.converge,
            self.restart, self.some_die, self.time_passes,
        ]  # fmt: skip
        deed = self.luck.choice(deeds) if self.version > 1 else self.push
        before = self.ledger.desired()
        at = self.luck.randint(1, 90) if self.luck.random() < 0.4 else None
        self.said.append(f"{deed.__name__} killed at {at}")
        self.engine.moments.kill_at(at)
        failed = False
        try:
            deed()
        except Crash:
            pass
        except GearError as error:
            failed = True
            self.said.append(f"  {error.what}")
        self.engine.moments.revive()
        after = self.ledger.desired()
        if failed:
            assert after.live == before.live, "what fails changes nothing"
        assert after.last >= before.last
        assert after.live is None or after.live in self.ledger.kept
        if before.live is not None:
            assert after.live is not None
        for world in self.engine.worlds:
            assert sum(i.id.index == 0 for i in world.instances) < 2, "one release command at once"
        self.engine.worlds = [self.engine.world]

    def settled(self) -> None:
        """Somebody converges: the live release runs, it alone, and a second time does nothing."""
        for one in list(self.engine.world.instances):
            if one.state is State.FAILED and one.id.release is None:
                self.engine.script.fail_data(one.id.service, "")
        desired = self.ledger.desired()
        if desired.live is None:
            self.converge()
            assert all(i.id.release is None for i in self.engine.world.instances)
            return
        live = scaled(self.ledger.kept[desired.live], desired.replicas)
        self.heal(live)
        self.converge()
        self.engine.settle()
        world = self.engine.world
        assert world.routed == (live.number if sites(live.app) else None)
        wanted = {
            one.name: service
            for service in live.app.services.values()
            for one in instances(live, service)
        }
        assert {i.id.name for i in world.instances} == set(wanted)
        for seen in world.instances:
            service = wanted[seen.id.name]
            made_from = live.fingerprint if service.stateless else definition(service)
            assert seen.fine, seen
            assert seen.definition == made_from, seen
        told = self.ledger.events()
        self.converge()
        assert plan(live, live.number, self.engine.observe()) == ()
        assert world == self.engine.world
        assert told == self.ledger.events() or desired.stopped

    def heal(self, live: Release) -> None:
        """What got live worked then, and does now."""
        for service in live.app.services.values():
            for number in (None, live.number):
                self.engine.script.fail_data(service.name, "", release=number)


def play(seed: int) -> None:
    host = Host(seed)
    try:
        for _ in range(LENGTH):
            host.step()
            if host.luck.random() < 0.5:
                host.said.append("settled")
                host.settled()
        host.settled()
    except (AssertionError, GearError) as error:
        error.add_note("\n".join(host.said))
        raise


def test_random_histories_end_with_the_right_release_alone() -> None:
    for seed in range(CORE):
        play(seed)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ten_thousand_random_histories() -> None:
    for seed in range(CORE, ALL):
        play(seed)
