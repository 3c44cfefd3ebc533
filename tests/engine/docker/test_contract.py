"""The Docker engine keeps the engines' contract, with real containers."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from geartrain.app.policy import AppPolicy
from geartrain.app.release import Release
from geartrain.engine.descent import began
from geartrain.engine.docker import observing, retiring
from geartrain.engine.docker.engine import DockerEngine
from geartrain.engine.docker.host import DockerHome, DockerHost
from geartrain.engine.protocol import Engine, State
from geartrain.render import containers
from geartrain.testing.apps import app, release
from tests.dockerd import docker
from tests.engine.contract import WORDS, EngineContract, eventually, ids, live, seen, up
from tests.engine.docker.hosts import clean
from tests.engine.programs import PROGRAM, RealPlace
from tests.ports import free_port

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("docker_daemon")]

CLAIMED = "claimed.example.com"
DOCKERFILE = """\
FROM python:3.12-slim
WORKDIR /app
COPY program.py .
CMD ["python", "program.py", "good"]
"""


class InContainers(RealPlace):
    """A Docker engine on a host of its own."""

    refusal = rf"the domain {CLAIMED} is claimed by shop-\w+ and by other-"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = DockerHost(folder / "host")
        self.host.create()
        self.home = DockerHome(self.host, f"shop-{self.host.facts.id}", folder)
        self.home.create()
        self.port = free_port()
        self.engine: Engine = self.client()

    def client(self) -> DockerEngine:
        return DockerEngine(self.home, os.environ, self._check_out)

    def _check_out(self, made: Release, folder: Path) -> None:
        if made.app.name == "shop" and made.app.policy.domains and not folder.exists():
            self.other_app()  # between the check of this release and its switch
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "program.py").write_text(PROGRAM)
        (folder / "Dockerfile").write_text(DOCKERFILE)

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
        made = app(
            *self.services(
                web=web, replicas=replicas, others=others, migration=migration, memory=memory
            )
        )
        if edge == "refused":
            policy = AppPolicy(domains=[CLAIMED])
            made = msgspec.structs.replace(made, policy=policy)
        return release(number, made, str(number))

    def other_app(self) -> None:
        """Another app of the same host answers to a domain."""
        home = DockerHome(self.host, f"other-{self.host.facts.id}", self.folder)
        home.create()
        made = self.release(1)
        policy = AppPolicy(domains=[CLAIMED])
        other = msgspec.structs.replace(made.app, name="other", policy=policy)
        engine = DockerEngine(home, os.environ, self._check_out)
        first = release(1, other)
        engine.build(first, lambda _: None)
        engine.start(first, ids(first))
        engine.ready(ids(first))
        engine.switch(first)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[InContainers]:
    made = InContainers(tmp_path)
    try:
        yield made
    finally:
        made.engine.down()  # also ends what was begun ahead, which would make an edge later
        clean(made.host)


class TestDockerEngine(EngineContract):
    """The contract."""


# -- and what only containers can do ----------------------------------------


def networks(place: InContainers) -> list[str]:
    mine = f"--filter=label={containers.HOST}={place.host.facts.id}"
    return sorted(docker("network", "ls", "--format={{.Name}}", mine).split())


def test_a_process_that_ends_old_instances_may_be_killed_itself(place: InContainers) -> None:
    first, second = place.release(1), place.release(2)
    live(place, first)
    live(place, second)
    # A request that is under way keeps the old instance waited for.
    with socket.create_connection(("127.0.0.1", place.port), timeout=5) as link:
        link.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert link.recv(1000)
        live(place, first)
        place.engine.retire(ids(second))
        (one,) = ids(second)
        assert seen(place, one).state is State.STOPPING
        process = int((place.home.run / "retire.lock").read_text())
        os.kill(process, signal.SIGKILL)
        eventually(lambda: seen(place, one).state is State.READY)
        place.client().retire(ids(second))
    eventually(lambda: place.engine.drained(10.0))
    assert place.engine.observe().find(one) is None
    assert place.asked() == "release 1"


def test_who_got_the_number_of_an_old_worker_keeps_no_instance(place: InContainers) -> None:
    first, second = place.release(1), place.release(2)
    live(place, first)
    live(place, second)
    old = [one for one in observing.of_app(place.home) if one.instance in ids(first)]
    retiring.write(place.home, old, [os.getpid()])
    (note,) = place.home.retiring.iterdir()
    kept = retiring.notes(place.home)[0]
    before = msgspec.structs.replace(kept, after=((os.getpid(), began(os.getpid()) - 1),))
    note.write_bytes(msgspec.json.encode(before))
    eventually(lambda: place.engine.drained(10.0))
    assert place.engine.observe().find(ids(first)[0]) is None


def test_nothing_is_left_of_a_release_that_has_gone(place: InContainers) -> None:
    first, second = place.release(1), place.release(2)
    live(place, first)
    live(place, second)
    place.engine.retire(ids(first))
    eventually(lambda: place.engine.drained(10.0))
    place.engine.sweep()
    assert networks(place) == [f"{place.home.base}--r2"]
    assert not list(place.home.retiring.iterdir())
    assert place.engine.down()
    assert networks(place) == []


def test_the_last_words_of_one_that_has_gone_are_kept(place: InContainers) -> None:
    release = place.release(1, web="exits")
    assert not up(place, release)[0].ok
    place.engine.stop(ids(release))
    kept = (place.home.logs / "web.1.1.log").read_text()
    assert [line.partition(" ")[2] for line in kept.splitlines()][-2:] == list(WORDS)
