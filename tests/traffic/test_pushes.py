"""Pushes to a host with Docker under load: no request is lost, whatever serves the app.

The load keeps to a rate: on a machine that it fills, requests that wait for each other, and a build
beside them, would be what is measured.
"""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import statistics
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest

from geartrain.engine import nginx
from geartrain.engine.docker.host import DockerHost
from tests.dockerd import docker
from tests.engine.docker.hosts import clean
from tests.server.pushing import Clone, HostFolder, clone_of, own_name
from tests.traffic.conftest import Scale
from tests.traffic.running import HERE, PATIENCE, Load, load, nothing_lost, percentile, until
from tests.traffic.streaming import event_stream, of_the_new, opened, web_socket

pytestmark = [
    pytest.mark.docker,
    pytest.mark.load,
    pytest.mark.usefixtures("docker_daemon"),
    pytest.mark.timeout(3600),
]

KINDS = {"keep": 64, "fresh": 16, "post": 32}  # connections
QUIET = 1.0  # seconds between two pushes, or more: what a push is compared with
SLOWER = 1.5  # how many times as slow as then 99 % of the requests may be during a switch
DRAIN = 4.0
COMPOSE = """\
x-gear: {{ name: load, drain: {drain} }}
services:
  nginx: {{ image: "nginx:latest", ports: ["${{EDGE_PORT}}:80"] }}
  backend:
    build: ./backend
    command: {command}
    environment: {{ LEDGER: /ledger/posts }}
    volumes: ["ledger:/ledger"]
    deploy: {{ replicas: {replicas} }}
    x-gear: {{ health: / }}
volumes: {{ ledger: {{}} }}
"""


@dataclass(frozen=True)
class Server:
    """What answers in the containers; each as its documentation starts it."""

    name: str
    packages: str
    command: str
    replicas: int = 1
    sockets: bool = True


SERVERS = (
    Server(
        "uvicorn", "httptools uvicorn websockets",
        "uvicorn app:app --host 0.0.0.0 --port 8080 --no-access-log --log-level warning",
        replicas=2,
    ),
    Server(
        "gunicorn", "gunicorn",
        "gunicorn wsgi:app --bind 0.0.0.0:8080 --threads 16 --log-level warning",
        sockets=False,  # WSGI has none
    ),
    Server(
        "granian", "granian",
        "granian --interface asgi app:app --host 0.0.0.0 --port 8080 --log-level warning",
    ),
)  # fmt: skip


class Pushed:
    """A clone that is changed and pushed, version after version."""

    def __init__(self, clone: Clone, server: Server) -> None:
        self.clone = clone
        self.server = server
        self.number = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.clone.port}"

    def change(self) -> str:
        """Commit the one-line change; the new version."""
        self.number += 1
        version = str(self.number)
        self.clone.write("backend/version.py", f'VERSION = "{version}"\n')
        self.clone.commit(f"version {version}")
        return version

    def drains(self, drain: str) -> None:
        """Push a Compose file with this drain limit."""
        text = COMPOSE.format(
            command=json.dumps(self.server.command), replicas=self.server.replicas, drain=drain
        )
        self.clone.write("docker-compose.yml", text)
        version = self.change()
        assert "is live" in self.clone.push().err
        assert self.version() == version

    @property
    def edge(self) -> str:
        """The name of the container of nginx."""
        return DockerHost(self.clone.host.folder).edge_container

    @property
    def master(self) -> int:
        """The pid of nginx."""
        return int(docker("inspect", "--format={{.State.Pid}}", self.edge))

    def version(self) -> str:
        return self.clone.body().partition(" ")[0]

    def containers(self) -> set[str]:
        """Names of the app's containers; the edge is the host's."""
        return {
            one["name"] for one in self.clone.gear("ps", "--json").json()["instances"]
            if one["name"] != "edge"
        }  # fmt: skip


@pytest.fixture(scope="module", params=SERVERS, ids=lambda server: server.name)
def pushed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pushed]:
    """An app on a host with Docker, behind one of the servers; all of it is gone afterwards."""
    server: Server = request.param
    place = tmp_path_factory.mktemp(server.name)
    host = HostFolder(place / "host")
    host.gear("host", "init", "--engine", "docker")
    clone = clone_of(host, own_name("load"), place, source="")
    shutil.copytree(HERE / "app", clone.folder, dirs_exist_ok=True)
    clone.write("backend/requirements.txt", "\n".join(server.packages.split()) + "\n")
    try:
        yield Pushed(clone, server)
    finally:
        host.gear("destroy", clone.app, "--data", "--yes", code=None)
        clean(DockerHost(host.folder))


@dataclass(frozen=True)
class Push:
    """When what happened, in monotonic seconds.

    Attributes:
        began: it began.
        reload: nginx was told to read its new configuration.
        live: the new release gave its first answer.
        drained: the last worker of nginx that had requests for the old release ended.
        back: `git push` was back.
    """

    began: float
    reload: float
    live: float
    drained: float
    back: float


def push_under(made: Pushed, loads: list[Load], signals: Signals) -> Push:
    version = made.change()
    with until_ended(nginx.workers(made.master)) as drained:
        began = time.monotonic()
        assert "is live" in made.clone.push().err
        back = time.monotonic()
        live = [one.answered_by(version) for one in loads]
        for one in loads:
            one.more(20)
        reload = signals.sent(made.edge, began)
        return Push(began, reload, min(live), drained(), back)


@contextmanager
def until_ended(pids: Iterable[int]) -> Iterator[Callable[[], float]]:
    """Wait for processes beside the block; what it gets says when the last one had ended."""

    def wait(fd: int) -> float:
        assert select.select([fd], [], [], PATIENCE)[0], "a worker of nginx stays"
        os.close(fd)
        return time.monotonic()

    fds = [os.pidfd_open(pid) for pid in pids]
    with ThreadPoolExecutor(len(fds)) as pool:
        waiting = [pool.submit(wait, fd) for fd in fds]
        yield lambda: max(one.result() for one in waiting)


class Signals:
    """When Docker sent a signal to which container, as it tells itself."""

    def __init__(self, said: Iterable[str]) -> None:
        self._sent: list[tuple[float, str]] = []
        self._reader = threading.Thread(target=self._read, args=(said,), daemon=True)
        self._reader.start()

    def _read(self, said: Iterable[str]) -> None:
        ahead = time.time() - time.monotonic()
        for line in said:
            at, _, name = line.strip().partition(" ")
            self._sent.append((int(at) / 1e9 - ahead, name))

    def sent(self, beginning: str, since: float) -> float:
        """When the first one since a moment was sent to a container whose name begins so."""

        def found() -> list[float]:
            sent = tuple(self._sent)
            return [at for at, name in sent if at >= since and name.startswith(beginning)]

        return min(until(found, f"a signal to {beginning}"))


@contextmanager
def signals() -> Iterator[Signals]:
    """Listen to Docker for as long as the block lasts."""
    with subprocess.Popen(
        ["docker", "events", "--filter=event=kill",
         "--format={{.TimeNano}} {{.Actor.Attributes.name}}"],
        stdout=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        assert running.stdout
        try:
            yield Signals(running.stdout)
        finally:
            running.kill()


Span = tuple[float, float]
"""From when to when, in monotonic seconds."""


@dataclass(frozen=True)
class Seen:
    """What became of requests, and what happened beside them.

    Attributes:
        totals: what each load says in the end, in the order of `KINDS`.
        wrk: what wrk says.
        quiet: the seconds in which nothing was pushed.
        pushes: the pushes.
    """

    totals: list[dict[str, Any]]
    wrk: str
    quiet: list[Span]
    pushes: list[Push]

    def slowest(self, spans: Sequence[Span]) -> float:
        """Within how many milliseconds 99 % of the requests of some spans were answered."""
        taken = [
            taken for one in self.totals for began, taken in one["latencies"]
            if any(began < end and began + taken > start for start, end in spans)
        ]  # fmt: skip
        return round(1000 * percentile(taken, 99), 1)

    @cached_property
    def before(self) -> float:
        """Milliseconds with nothing pushed."""
        return self.slowest(self.quiet)

    @cached_property
    def during(self) -> float:
        """Milliseconds from nginx's reload to the end of its last old worker."""
        return self.slowest([(one.reload, one.drained) for one in self.pushes])

    def figures(self) -> dict[str, object]:
        """What it says about how long requests took."""
        return {
            "99 % ms before": self.before,
            "built and started": self.slowest([(p.began, p.reload) for p in self.pushes]),
            "switched and drained": self.during,
            "stopped": self.slowest([(p.drained, p.back) for p in self.pushes]),
        }


def seen_under(pushed: Pushed, scale: Scale) -> Seen:
    """Push again and again under requests, of which each push has the same part."""
    rate = scale.rate
    with ExitStack() as stack:
        loads = [
            stack.enter_context(
                load(pushed.address, mode, connections=count, name=mode, rate=rate,
                     path="/ledger" if mode == "post" else "/")
            )
            for mode, count in KINDS.items()
        ]  # fmt: skip
        # Its pauses begin with an answer, so that it asks less often than it is told.
        ended = stack.enter_context(wrk(pushed.address, round(1.1 * rate)))
        heard = stack.enter_context(signals())
        quiet: list[Span] = []
        done: list[Push] = []

        def rest(total: int) -> None:
            began = time.monotonic()
            for one in loads:
                one.more(int(QUIET * rate))
            until(lambda: all(one.ok >= total for one in loads), f"{total} requests", 600)
            quiet.append((began, time.monotonic()))

        for number in range(1, scale.switches + 1):
            rest(scale.requests * number // scale.switches)
            done.append(push_under(pushed, loads, heard))
        said = ended()
        return Seen([one.finish() for one in loads], said, quiet, done)


@contextmanager
def wrk(address: str, rate: int) -> Iterator[Callable[[], str]]:
    """A load generator that is not ours, 64 connections kept; called, it ends and tells."""
    running = subprocess.Popen(
        ["wrk", "-t1", "-c64", "-d7200s", "--timeout", "30s", "-s", HERE / "paced.lua",
         f"http://{address}/?t=w", "--", str(rate)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip

    def finish() -> str:
        running.send_signal(signal.SIGINT)
        return running.communicate(timeout=60)[0]

    try:
        yield finish
    finally:
        running.kill()
        running.wait()


def test_nothing_is_lost_or_slow_while_pushes_follow_each_other(
    pushed: Pushed, scale: Scale, tell: Callable[..., None]
) -> None:
    pushed.drains("10s")
    posted = Counter(pushed.clone.body("/ledger").split())
    seen = seen_under(pushed, scale)
    posted = Counter(pushed.clone.body("/ledger").split()) - posted

    asked = re.search(r"(\d+) requests in", seen.wrk)
    tell(
        pushes=len(seen.pushes),
        rate=scale.rate,
        fates={mode: one["fates"] for mode, one in zip(KINDS, seen.totals, strict=True)},
        wrk=asked[1] if asked else seen.wrk,
        live=f"{statistics.median(p.live - p.began for p in seen.pushes):.2f} s",
        back=f"{statistics.median(p.back - p.began for p in seen.pushes):.2f} s",
        **seen.figures(),
    )
    for one in seen.totals:
        nothing_lost(one)
    assert asked, seen.wrk
    assert int(asked[1]) >= scale.requests
    assert "Socket errors" not in seen.wrk, seen.wrk
    assert "Non-2xx" not in seen.wrk, seen.wrk
    post = seen.totals[list(KINDS).index("post")]
    assert len(posted) == posted.total() == post["sent"], posted.most_common(5)
    # A tenth of the switches are too few to hold the slowest hundredth of their requests against.
    assert not scale.whole or seen.during <= SLOWER * seen.before, seen.figures()


def test_open_streams_go_on_until_the_drain_limit(
    pushed: Pushed, tell: Callable[..., None]
) -> None:
    pushed.drains(f"{DRAIN:g}s")
    kinds = [event_stream, web_socket] if pushed.server.sockets else [event_stream]
    before, old_version = pushed.containers(), pushed.version()
    with opened([kind(pushed.address, old_version) for kind in kinds]) as old:
        version = pushed.change()
        pushing = pushed.clone.start("live", "main")
        try:
            # Who was answered by the old release asked before its workers were told to leave.
            asked = [time.monotonic()]

            def switched() -> bool:
                now = time.monotonic()
                if pushed.version() == version:
                    return True
                asked[0] = now
                return False

            until(switched, "the new version answers")
            live = time.monotonic()
            assert not any(stream.ended for stream in old), "they live on after the switch"
            with opened([of_the_new(kind, pushed.address, version) for kind in kinds]) as new:
                until(lambda: all(stream.ended for stream in old), "the drain limit ends them")
                for stream in old:
                    assert stream.ended - asked[0] >= DRAIN
                    assert stream.ended - live <= DRAIN + 5
                    assert stream.ended - stream.last <= 1, "it told something until the end"
                until(lambda: not pushed.containers() & before, "the old containers are gone")
                seen = [len(stream.seen) for stream in new]
                until(
                    lambda: all(len(s.seen) > n for s, n in zip(new, seen, strict=True)),
                    "the new streams go on",
                )
                assert not any(stream.ended for stream in new)
            said = pushing.communicate(timeout=60)[0]
        finally:
            pushing.kill()
            pushing.wait()
    assert pushing.returncode == 0, said
    tell(
        drain=f"{DRAIN:g} s",
        **{"ended after the switch": [f"{s.ended - live:.2f} s" for s in old]},
    )
