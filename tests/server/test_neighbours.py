"""Apps that share a host: what one of them suffers, the other does not notice.

One app is flooded, at a page that is slow and at one that is not, while a
service of it ends at once each time it is started and another fills its log.
The other app is asked at a steady pace meanwhile. `GEAR_LOAD=full` does so for longer.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from geartrain.engine.docker import access_log
from geartrain.engine.docker.host import DockerHost
from tests.cli.running import until
from tests.dockerd import docker
from tests.engine.docker.hosts import clean
from tests.ports import free_port
from tests.server.pushing import Clone, HostFolder, clone_of, own_name

pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("docker_daemon"),
    pytest.mark.timeout(900),
    pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed"),
]
SECONDS = 60 if os.environ.get("GEAR_LOAD") == "full" else 12
NOISY, CALM = "noisy.gear.test", "calm.gear.test"
MORE = """\
  looping:
    build: .
    command: ["sh", "-c", "test -e /tmp/was && exit 3; touch /tmp/was; sleep 4; exit 3"]
    x-gear: { role: worker }
  chatty:
    build: .
    command: ["sh", "-c", "exec yes 'all that one can say about nothing, and then some more of it'"]
    deploy: { resources: { limits: { cpus: "0.25" } } }
    x-gear: { role: worker }
"""


@dataclass
class Apps:
    noisy: Clone
    calm: Clone
    host: DockerHost


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apps]:
    place = tmp_path_factory.mktemp("neighbours")
    host = HostFolder(place / "host")
    host.gear("host", "init", "--engine", "docker")
    port, made = free_port(), []
    try:
        for name, domain, more in (("calm", CALM, ""), ("noisy", NOISY, MORE)):
            one = clone_of(host, own_name(name), place)
            made.append(one)
            host.gear("app", "env", one.app, f"EDGE_PORT={port}")
            one.port = port
            text = (one.folder / "docker-compose.yml").read_text()
            # Both have it, each its own.
            more += '  redis: { image: "redis:7" }\n'
            one.write("docker-compose.yml", f"x-gear: {{domains: [{domain}]}}\n{text}{more}")
            one.version(name)
            one.push()
        yield Apps(made[1], made[0], DockerHost(host.folder))
    finally:
        for one in made:
            host.gear("destroy", one.app, "--data", "--yes", code=None)
        clean(DockerHost(host.folder))


@dataclass
class Pace:
    """What came of requests at a steady pace, each due at its time whatever became of others."""

    seconds: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def share(self, part: float) -> float:
        """The time within which that part of them was answered."""
        return sorted(self.seconds)[int(part * (len(self.seconds) - 1))]

    def __str__(self) -> str:
        parts = (("median", 0.5), ("p99", 0.99), ("worst", 1))
        times = ", ".join(f"{name} {self.share(part) * 1000:.1f} ms" for name, part in parts)
        return f"{len(self.seconds)} requests, {len(self.lost)} lost, {times}"


def pace(port: int, name: str, seconds: float, clients: int = 4, each: float = 20) -> Pace:
    """Ask `clients` times `each` a second, over kept connections."""
    seen, turn = Pace(), threading.Lock()

    def ask(number: int) -> None:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        began = time.monotonic() + number / (clients * each)
        for count in range(round(seconds * each)):
            due = began + count / each
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                link.request("GET", "/", headers={"Host": name})
                answer = link.getresponse()
                body = answer.read()
                wrong = (
                    "" if (answer.status, body) == (200, b"hello calm\n") else str(answer.status)
                )
            except (OSError, http.client.HTTPException) as error:
                link.close()
                wrong = repr(error)
            with turn:
                seen.seconds.append(time.monotonic() - due)
                seen.lost += [wrong] if wrong else []
        link.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return seen


@contextlib.contextmanager
def flood(port: int, name: str, path: str, connections: int) -> Iterator[subprocess.Popen[str]]:
    """wrk at full speed while the block runs."""
    words = ["wrk", "-t1", f"-c{connections}", f"-d{10 * SECONDS}s", "--timeout=30s",
             "-H", f"Host: {name}", f"http://127.0.0.1:{port}{path}"]  # fmt: skip
    one = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield one
    finally:
        one.kill()
        one.communicate(timeout=20)


REACH = """
import socket, sys
for place in sys.argv[1:]:
    host, _, port = place.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1.5).close()
        print(place, "yes")
    except OSError:
        print(place, "no")
"""


def addresses(app: Clone, port: int | str, service: str, key: str = "IPAddress") -> set[str]:
    """Where a service's containers are, on all their networks."""
    found = set()
    for name in docker("ps", "--quiet", f"--filter=name={app.app}.*{service}").split():
        template = f"{{{{range .NetworkSettings.Networks}}}}{{{{.{key}}}}} {{{{end}}}}"
        found |= {f"{ip}:{port}" for ip in docker("inspect", f"--format={template}", name).split()}
    assert found
    return found


def test_one_app_reaches_nothing_of_another(apps: Apps) -> None:
    mine = addresses(apps.noisy, 8080, "web") | addresses(apps.noisy, 6379, "redis")
    others = addresses(apps.calm, 8080, "web") | addresses(apps.calm, 6379, "redis")
    # The edge's private address, on the machine's own addresses in those networks.
    admin = apps.host.facts.admin
    inner = addresses(apps.noisy, admin.rpartition(":")[2], "web", "Gateway")
    others |= {admin, *(place for place in inner if place[0] != ":")}
    done = apps.noisy.gear("exec", "web", "python", "-c", REACH, *mine, *others)
    seen = dict(line.split() for line in done.out.splitlines())
    web = addresses(apps.noisy, 8080, "web")
    assert {seen[place] for place in web} == {"yes"}, "the question itself works"
    assert {seen[place] for place in others} == {"no"}, seen


def restarts(app: Clone, service: str) -> int:
    found = docker("ps", "--all", "--quiet", f"--filter=name={app.app}.*{service}").split()
    return int(docker("inspect", "--format={{.RestartCount}}", found[0]))


def test_a_flood_and_a_crash_loop_next_door(apps: Apps) -> None:
    port = apps.calm.port
    alone = pace(port, CALM, SECONDS / 3)
    until(lambda: restarts(apps.noisy, "looping") > 1, "it ends again and again")
    with (
        flood(port, NOISY, "/slow?s=3", 1000),
        flood(port, NOISY, "/", 32),
    ):
        until(lambda: logged(apps.host), "the flood has begun")
        beside = pace(port, CALM, SECONDS)
        loops = restarts(apps.noisy, "looping")
        said = size(container_folder(apps.noisy, "chatty") / "local-logs")
    sys.stderr.write(
        f"\nalone: {alone}\nbeside a flood: {beside}\n"
        f"{loops} ends of the looping service; {said / 1e6:.0f} MB of the chatty one's log\n"
    )
    assert alone.lost == beside.lost == []
    assert loops > 2
    # What floods and what measures are on the same few cores as all that is measured.
    assert beside.share(0.99) < 1
    assert 0 < said < 5 * 21e6, "five files of 20 MB, the older ones compressed"
    rows = {one["app"]: one for one in apps.calm.gear("status", "--json", code=1).json()}
    assert rows[apps.calm.app]["state"] == "ok"
    assert rows[apps.noisy.app]["state"] == "trouble"


def test_the_access_log_is_bounded_under_a_flood(apps: Apps) -> None:
    port, logs = apps.calm.port, apps.host.edge / "logs"
    made, largest, seen = 0, 0, list[Pace]()
    every = {"access.log", *(f"access.log.{number}" for number in range(1, access_log.KEPT + 1))}
    asking = threading.Thread(target=lambda: seen.append(pace(port, CALM, 6)))
    with flood(port, NOISY, "/no-such-page", 32):
        asking.start()
        end = time.monotonic() + 90
        while made <= access_log.KEPT + 1 or asking.is_alive():
            assert time.monotonic() < end, f"only {made} logs were begun"
            before = newest(logs)
            access_log.rotate(apps.host, most=2**18)
            made += newest(logs) != before
            largest = max(largest, size(logs))
            assert {path.name for path in logs.iterdir()} <= every
        asking.join()
    sys.stderr.write(f"\n{made} logs begun, {largest / 1e6:.1f} MB at most; {seen[0]}\n")
    assert {path.name for path in logs.iterdir()} == every
    assert seen[0].lost == []


def newest(logs: Path) -> int:
    return (logs / "access.log").stat().st_ino if (logs / "access.log").exists() else 0


def container_folder(app: Clone, service: str) -> Path:
    found = docker("ps", "--quiet", "--no-trunc", f"--filter=name={app.app}.*{service}").split()
    root = docker("info", "--format={{.DockerRootDir}}")
    return Path(root) / "containers" / found[0]


def size(folder: Path) -> int:
    """Bytes of the files in a folder, which may come and go meanwhile."""
    found = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            found += path.stat().st_size
    return found


def logged(host: DockerHost) -> int:
    log = host.edge / "logs" / "access.log"
    return log.stat().st_size if log.exists() else 0
