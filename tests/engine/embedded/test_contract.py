"""The embedded engine keeps the engines' contract, with real processes."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from geartrain.app.model import (
    Mount,
    MountKind,
    PublishedPort,
    Role,
    Service,
)
from geartrain.app.release import Release
from geartrain.engine.embedded.engine import EmbeddedEngine
from geartrain.engine.embedded.host import Host
from geartrain.engine.embedded.supervisor.client import connect
from geartrain.engine.protocol import Engine
from geartrain.testing.apps import app, release
from tests.engine.contract import EngineContract, eventually, ids, live
from tests.engine.programs import PROGRAM, RealPlace
from tests.ports import free_port

REFUSED = "server { listen 80; location / { prox_pass http://web:8080; } }\n"


class OnThisMachine(RealPlace):
    """An embedded engine on a host of its own; its apps need Python's library alone."""

    refusal = "prox_pass"

    def __init__(self, folder: Path) -> None:
        self.host = Host(folder)
        self.host.create()
        self.port = free_port()
        self.engine: Engine = self.client()

    def client(self) -> Engine:
        return EmbeddedEngine(self.host, os.environ, self._check_out)

    def _check_out(self, _: Release, folder: Path) -> None:
        (folder / "nginx").mkdir(parents=True, exist_ok=True)
        (folder / "program.py").write_text(PROGRAM)
        (folder / "nginx" / "default.conf").write_text(REFUSED)

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
        services = self.services(
            web=web, replicas=replicas, others=others, migration=migration, memory=memory,
            published=edge != "refused",
        )  # fmt: skip
        if edge == "refused":
            conf = Mount(
                kind=MountKind.BIND,
                source="nginx/default.conf",
                target="/etc/nginx/conf.d/default.conf",
                read_only=True,
            )
            at = (PublishedPort(target=80, published=self.port),)
            services.append(
                Service(name="nginx", role=Role.EDGE, image="nginx", mounts=(conf,), ports=at)
            )
        return release(number, app(*services), str(number))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[OnThisMachine]:
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)  # root's data services run as another user
    made = OnThisMachine(tmp_path)
    yield made
    if client := connect(made.host.run):
        client.ask("shutdown")
        client.ended()


class TestEmbeddedEngine(EngineContract):
    """The contract."""


# -- and what only processes can do -----------------------------------------


def test_one_that_is_killed_is_seen_with_its_restart(place: OnThisMachine) -> None:
    made = place.release(1)
    live(place, made)
    (one,) = ids(made)
    before = place.engine.observe().find(one)
    assert before
    place.kill(one)
    eventually(lambda: (place.engine.observe().find(one) or before).restarts == 1)
    eventually(lambda: place.engine.ready([one])[0].ok)
    after = place.engine.observe().find(one)
    assert after
    assert after.pid != before.pid
    assert after.since > before.since


def test_replicas_have_addresses_of_their_own(place: OnThisMachine) -> None:
    made = place.release(1, replicas=3)
    live(place, made)
    web = [i for i in place.engine.observe().instances if i.role == Role.WEB]
    assert len({i.address for i in web}) == 3
    assert {i.port for i in web} == {8080}
    assert all(i.version.startswith("Python 3") for i in web)


def test_addresses_of_a_release_that_runs_are_not_given_out_again(place: OnThisMachine) -> None:
    """A release that was broken off keeps its addresses on disk while others take them."""
    first, second = place.release(1, replicas=2), place.release(2, replicas=2)
    place.engine.build(second, lambda _: None)
    live(place, first)
    live(place, second)
    web = [i for i in place.engine.observe().instances if i.role == Role.WEB]
    assert len({i.address for i in web}) == 4


def test_an_environment_that_is_gone_is_made_again(place: OnThisMachine) -> None:
    made = place.release(1)
    place.engine.build(made, lambda _: None)
    shutil.rmtree(place.host.envs)
    place.host.envs.mkdir()
    place.engine = place.client()
    live(place, made)
    assert place.asked() == "release 1"


def test_what_is_asked_after_an_interrupt_gets_its_own_answer(place: OnThisMachine) -> None:
    made = place.release(1, web="hangs")  # waited for much longer than until the interrupt
    place.engine.build(made, lambda _: None)
    place.engine.start(made, ids(made))

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(KeyboardInterrupt):
            place.engine.ready(ids(made))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert [i.id.name for i in place.engine.observe().instances] == ["web.1.1"]
    place.engine.stop(ids(made))
    assert place.engine.observe().instances == ()


def test_a_switch_that_was_killed_halfway_is_not_taken_for_done(place: OnThisMachine) -> None:
    """nginx runs with the old generation, and would start with the other one."""
    first, second = place.release(1), place.release(2)
    live(place, second)
    live(place, first)
    assert place.engine.observe().routed == 1
    link = place.host.edge / "current"
    there = link.readlink()
    link.unlink()
    link.symlink_to(next(p.name for p in place.host.edge.iterdir() if p.name.startswith("2-")))
    assert place.engine.observe().routed is None
    place.engine.switch(first)
    assert link.readlink() == there
    assert place.engine.observe().routed == 1
    shutil.rmtree(link.resolve())
    assert place.engine.observe().routed is None
    place.engine.switch(first)
    assert place.engine.observe().routed == 1
    assert place.asked() == "release 1"
