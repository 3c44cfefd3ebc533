"""An app of real programs, for the engines that run them."""

from __future__ import annotations

import os
import signal
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from textwrap import dedent

from msgspec.structs import replace

from geartrain.app.model import (
    Build,
    Healthcheck,
    Image,
    Limits,
    PublishedPort,
    Role,
    Service,
)
from geartrain.app.policy import ServicePolicy
from geartrain.app.release import InstanceId, Release
from geartrain.engine.protocol import Engine
from geartrain.testing.apps import redis
from tests.engine.contract import eventually

PROGRAM = dedent(
    """
    import http.server, os, sys, time

    how = sys.argv[1]
    if how in ("exits", "fails"):
        print("first line", flush=True)
        time.sleep(0.3)  # Docker reads both outputs at once: what is said in one moment may swap
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

        def do_HEAD(self):  # with a body, as some apps have it, and not at once
            self.send_response(200)
            self.send_header("Content-Length", "3")
            self.end_headers()
            time.sleep(1)
            self.wfile.write(b"bad")

        def log_message(self, *_):
            pass


    address = os.environ.get("HOST", "0.0.0.0")
    http.server.ThreadingHTTPServer((address, 8080), Answer).serve_forever()
    """
)


def program(name: str, role: Role, how: str, **rest: object) -> Service:
    """A service of the program, which does as asked."""
    image = Image(base="python:3.12-slim", working_dir="/app", copies=(("program.py", "/app/"),))
    command = ("python", "program.py", how)
    made = Service(name=name, role=role, build=Build(context="."), built=image, command=command)
    return replace(made, **rest)


class RealPlace(ABC):
    """What is alike in the places of the engines that run real programs behind a real nginx."""

    engine: Engine
    port: int
    """Where the app is reached on this machine."""

    @abstractmethod
    def client(self) -> Engine:
        """The engine as another command sees it."""

    def services(
        self, *, web: str | None, replicas: int, others: tuple[str, ...], migration: str | None,
        memory: int, published: bool = True,
    ) -> list[Service]:  # fmt: skip
        """The services of a release; arguments as in `Place.release`.

        Args:
            published: whether the web service is reached without a service of nginx.
        """
        found = [_other(kind, memory) for kind in others]
        if web is None:
            return found
        command = ["python", "program.py", migration] if migration else None
        ports = (PublishedPort(target=8080, published=self.port),) if published else ()
        first = program(
            "web", Role.WEB, web, port=8080, ports=ports, replicas=replicas,
            gear=ServicePolicy(health="/", release=command),
            healthcheck=Healthcheck(
                test=("true",), start_period=1.0 if web == "silent" else 20.0
            ),
        )  # fmt: skip
        return [first, *found]

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
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=30) as answer:
                return str(answer.read().decode())
        except urllib.error.URLError as error:
            return "" if isinstance(error.reason, ConnectionRefusedError) else repr(error)


def _other(kind: str, memory: int) -> Service:
    if kind == "cache":
        return redis("cache", limits=Limits(memory=memory or None))
    if kind == "worker":
        return program(kind, Role.WORKER, "hangs")
    if kind == "job":
        return program(kind, Role.JOB, "works", gear=ServicePolicy(schedule="0 3 * * *"))
    how = "works" if kind == "one-shot" else "exits"
    return program(kind, Role.WORKER, how, one_shot=True)
