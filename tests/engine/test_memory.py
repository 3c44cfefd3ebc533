"""The engine in memory keeps the engines' contract."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from geartrain.app.model import Limits
from geartrain.app.policy import ServicePolicy
from geartrain.app.release import InstanceId, Release
from geartrain.engine.protocol import Engine, State
from geartrain.testing import Crash, Exits, MemoryEngine, NeverAnswers
from geartrain.testing.apps import app, job, one_shot, redis, release, web, worker
from tests.engine.contract import WORDS, EngineContract


class InMemory:
    """A `MemoryEngine` whose script says what a release asks for."""

    refusal = "prox_pass"

    def __init__(self) -> None:
        self.memory = MemoryEngine()
        self.engine: Engine = self.memory

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
        script = self.memory.script
        gear = ServicePolicy(release=["migrate"] if migration else None)
        makers: dict[str, Any] = {
            "worker": worker,
            "job": job,
            "one-shot": one_shot,
            "failing-one-shot": one_shot,
            "cache": redis,
        }
        services = [makers[kind](name=kind) for kind in others]
        services = [
            replace(one, limits=Limits(memory=memory or None)) if one.name == "cache" else one
            for one in services
        ]
        if web:
            services.insert(0, _web(replicas, gear))
        if web == "exits":
            script.behave("web", Exits(code=3, tail=WORDS), release=number)
        if web == "silent":
            script.behave("web", NeverAnswers(), release=number)
        script.behave("failing-one-shot", Exits(code=3, tail=WORDS), release=number)
        if migration == "fails":
            script.fail_migration("web", Exits(code=4, tail=WORDS), release=number)
        if edge == "refused":
            script.refuse_switch('unknown directive "prox_pass"', release=number)
        return release(number, app(*services), str(number))

    def client(self) -> Engine:
        return self.memory

    def kill(self, one: InstanceId) -> None:
        self.memory.change(one, State.BACKOFF)

    def abandon_migration(self, release: Release) -> None:
        self.memory.build(release, lambda _: None)
        self.memory.moments.kill_at(2)
        with pytest.raises(Crash):
            self.memory.migrate(release, release.app.services["web"])
        self.memory.moments.revive()

    def asked(self) -> str:
        world = self.memory.world
        return f"release {world.routed}" if world.routed and world.fine(world.routed) else ""


def _web(replicas: int, gear: ServicePolicy) -> Any:
    return web(replicas=replicas, gear=gear)


class TestMemoryEngine(EngineContract):
    @pytest.fixture
    def place(self) -> InMemory:
        return InMemory()
