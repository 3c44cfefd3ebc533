"""The Docker engine keeps the engines' contract, with real containers."""

from __future__ import annotations

import os
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import msgspec
import pytest

from geartrain.app.model import (
    Build,
    Healthcheck,
    Image,
    Limits,
    PublishedPort,
    Role,
    Service,
)
from geartrain.app.policy import AppPolicy, ServicePolicy
from geartrain.app.release import InstanceId, Release
from geartrain.engine.docker.engine import DockerEngine
from geartrain.engine.docker.host import DockerHome, DockerHost
from geartrain.engine.protocol import Engine, State
from geartrain.render import containers
from geartrain.testing.apps import app, redis, release
from tests.dockerd import docker
from tests.engine.contract import WORDS, EngineContract, eventually, ids, live, seen, up
from tests.engine.docker.hosts import clean, free_port

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("docker_daemon")]

PROGRAM = dedent(
    """
    import http.server, os, sys, time

    how = sys.argv[1]
    if how in ("exits", "fails"):
        print("first line", flush=True)
        time.sleep(0.05)  # Docker reads both outputs at once: what is said in one moment may swap
        print("KeyError: 'QUEUE'", file=sys.stderr, flush=True)
        sys.exit(3 if how == "exits" else 4)
    if how == "works":
        sys.exit(0)
    if how in ("hangs", "silent"):
        time.sleep(600)


    class Answer(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            body = b"release " + os.environ["GEAR_RELEASE"].encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_):
            pass


    http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Answer).serve_forever()
    """
)
CLAIMED = "claimed.example.com"
DOCKERFILE = """\
FROM python:3.12-slim
WORKDIR /app
COPY program.py .
CMD ["python", "program.py", "good"]
"""


def program(name: str, role: Role, how: str, **rest: object) -> Service:
    image = Image(base="python:3.12-slim", working_dir="/app", copies=(("program.py", "/app/"),))
    command = ("python", "program.py", how)
    return Service(
        name=name, role=role, build=Build(context="."), built=image, command=command,
        **rest,  # type: ignore[arg-type]
    )  # fmt: skip


class InContainers:
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
        services = [self._other(kind, memory) for kind in others]
        if web:
            command = ["python", "program.py", migration] if migration else None
            gear = ServicePolicy(health="/", release=command)
            soon = Healthcheck(test=("true",), start_period=1.0 if web == "silent" else 20.0)
            ports = (PublishedPort(target=8080, published=self.port),)
            services.insert(
                0,
                program(
                    "web", Role.WEB, web, port=8080, ports=ports, replicas=replicas, gear=gear,
                    healthcheck=soon,
                ),
            )  # fmt: skip
        made = app(*services)
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

    def _other(self, kind: str, memory: int) -> Service:
        if kind == "cache":
            return redis("cache", limits=Limits(memory=memory or None))
        if kind == "worker":
            return program(kind, Role.WORKER, "hangs")
        if kind == "job":
            return program(kind, Role.JOB, "works", gear=ServicePolicy(schedule="0 3 * * *"))
        how = "works" if kind == "one-shot" else "exits"
        return program(kind, Role.WORKER, how, one_shot=True)

    def kill(self, one: InstanceId) -> None:
        found = self.engine.observe().find(one)
        assert found
        os.kill(found.pid, signal.SIGKILL)

    def abandon_migration(self, release: Release) -> None:
        self.engine.build(release, lambda _: None)
        child = os.fork()
        if not child:
            try:
                self.client().migrate(release, release.app.services["web"])
            finally:
                os._exit(0)
        eventually(lambda: bool(self.engine.observe().instances))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)

    def asked(self) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5) as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, OSError):
            return ""


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
