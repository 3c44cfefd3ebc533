"""A project that `gear` runs, and a load upon it: what the tests of this folder share."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geartrain
from tests.ports import free_port

HERE = Path(__file__).parent
GEAR = (sys.executable, "-m", "geartrain")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(geartrain.__file__).parents[1])}
PATIENCE = 60.0  # seconds for what takes one on an idle machine

COMPOSE = """\
x-gear: {{ name: load, drain: {drain} }}
services:
  nginx:
    image: nginx:latest
    ports: ["80:80"]
  backend:
    build: ./backend
    {depends}
    environment: {{ LEDGER: {ledger} }}
    deploy: {{ replicas: {replicas} }}
    x-gear:
      health: /health
      {release}
"""
DATA = """
  postgres: { image: "postgres:18" }
  redis: { image: "redis:8", x-gear: { keep: durable } }
"""


def until(condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Wait for a condition and return what it returned."""
    end = time.monotonic() + patience
    while not (seen := condition()):
        assert time.monotonic() < end, f"not within {patience:g} s: {what}"
        time.sleep(0.01)
    return seen


@dataclass
class Project:
    """A folder with a Compose file, and `gear` upon it."""

    folder: Path
    port: int

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger"

    def write_version(self, version: str) -> None:
        """The one-line change."""
        (self.folder / "backend" / "version.py").write_text(f'VERSION = "{version}"\n')

    def gear(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*GEAR, *words], cwd=self.folder, capture_output=True, text=True, check=False,
            env=ENVIRONMENT, timeout=4 * PATIENCE, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stderr + done.stdout
        return done

    def up(self, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.gear("up", "-d", "--json", "--port", f"80={self.port}", check=check)

    def instances(self) -> list[dict[str, Any]]:
        """What runs, or nothing when nothing answers."""
        done = self.gear("ps", "--json", check=False)
        return list(json.loads(done.stdout)["instances"]) if done.stdout else []

    def pid(self, service: str, index: int = 1) -> int:
        """The main process of the newest instance of a service, once it has one."""

        def find() -> int:
            mine = [
                i for i in self.instances()
                if i["service"] == service and i["index"] in (0, index) and i["state"] == "ready"
            ]  # fmt: skip
            return max(mine, key=lambda i: i["release"] or 0)["pid"] if mine else 0

        return int(until(find, f"{service} is ready"))

    def guard_and_supervisor(self) -> tuple[int, int]:
        guard, supervisor = (self.folder / ".gear" / "run" / "pids").read_text().split()
        return int(guard), int(supervisor)

    def family(self) -> set[tuple[int, str]]:
        """All processes that run for this project."""
        with contextlib.suppress(OSError):
            return family(self.guard_and_supervisor()[0])
        return set()

    def ask(self, path: str = "/?t=x") -> str:
        """The body of one answer over a new connection, or "" when there is none."""
        request = f"GET {path} HTTP/1.1\r\nHost: {self.address}\r\nConnection: close\r\n\r\n"
        answer = b""
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), timeout=10) as link,
        ):
            link.sendall(request.encode())
            while data := link.recv(65536):
                answer += data
        head, _, body = answer.partition(b"\r\n\r\n")
        return body.decode() if b" 200 " in head.split(b"\r\n")[0] else ""

    def version(self) -> str:
        """The version that a new connection is answered by."""
        return self.ask().partition(" ")[0]

    def logs(self) -> str:
        """Everything that was logged, for the message of a failure."""
        files = sorted((self.folder / ".gear" / "logs").glob("*.log"))
        texts = [f"== {f.name}\n{f.read_text(errors='replace')[-3000:]}" for f in files
                 if f.name != "access.log"]  # fmt: skip
        return "\n".join(texts)


@contextlib.contextmanager
def project(
    folder: Path, *, replicas: int = 1, data: bool = False, drain: str = "10s", release: str = ""
) -> Iterator[Project]:
    """Make a project, start it, and stop all of it after."""
    shutil.copytree(HERE / "app", folder)
    made = Project(folder, free_port())
    (folder / ".gitignore").write_text("ledger\n")
    text = COMPOSE.format(
        drain=drain,
        replicas=replicas,
        ledger=json.dumps(str(made.ledger)),
        depends="depends_on: [postgres, redis]" if data else "",
        release=f"release: {json.dumps(release)}" if release else "",
    )
    (folder / "docker-compose.yml").write_text(text + (DATA if data else ""))
    try:
        made.up()
        assert made.version() == "1", made.logs()
        yield made
    finally:
        known = made.family()
        made.gear("down", check=False)
        until(lambda: not processes(folder), "everything has ended")
        assert not survivors(known)


def alive(pid: int) -> str:
    """When a process started (proc(5), field 22), or "" when it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    with contextlib.suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def family(pid: int) -> set[tuple[int, str]]:
    """A process and all below it, each with its start."""
    found = {(pid, alive(pid))}
    for child in children(pid):
        found |= family(child)
    return found


def survivors(known: set[tuple[int, str]]) -> set[int]:
    """Those of a family that have not ended."""
    return {pid for pid, start in known if start and alive(pid) == start}


def processes(folder: Path) -> dict[int, str]:
    """Every process that belongs to a project: its folder is in its words or its environment."""
    mark = os.fsencode(folder)
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes()
            ours = mark in words or mark in (entry / "environ").read_bytes()
            if ours and alive(int(entry.name)):
                found[int(entry.name)] = words.replace(b"\0", b" ").decode(errors="replace")
    return found


class Load:
    """A running client, and what it said last."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.last: dict[str, Any] = {"fates": {}, "versions": {}}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.last = json.loads(line)

    @property
    def ok(self) -> int:
        return int(self.last["fates"].get("ok", 0))

    @property
    def total(self) -> int:
        return sum(self.last["fates"].values())

    def more(self, count: int) -> None:
        """Wait until so many further requests went well."""
        goal = self.ok + count
        until(lambda: self.ok >= goal, f"{count} more good answers ({self.last})", 4 * PATIENCE)

    def answered_by(self, version: str) -> float:
        """Wait for the first answer of a version and return its moment."""
        seen = until(lambda: self.last["versions"].get(version), f"version {version} answers")
        return float(seen["first"])

    def answers_after(self, moment: float) -> float:
        """Wait for a good answer after a moment; return how many seconds later it came."""
        until(
            lambda: any(v["last"] > moment for v in self.last["versions"].values()),
            "it answers again",
        )
        return min(v["last"] for v in self.last["versions"].values() if v["last"] > moment) - moment

    def finish(self) -> dict[str, Any]:
        """Let the requests on their way be answered, and return the totals."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self.last.get("final"), self.last
        return self.last


@contextlib.contextmanager
def load(address: str, mode: str = "keep", **options: object) -> Iterator[Load]:
    """Send requests for as long as the block lasts."""
    words = [f"--{key}={value}" for key, value in options.items()]
    client = subprocess.Popen(
        [sys.executable, HERE / "client.py", address, "--mode", mode, *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    running = Load(client)
    try:
        until(lambda: running.ok > 0 or client.poll() is not None, "the load runs")
        assert client.poll() is None, "the client has ended"
        yield running
    finally:
        if client.poll() is None:
            client.kill()
            client.wait()
        for pipe in (client.stdin, client.stdout):
            if pipe:
                pipe.close()


def nothing_lost(totals: dict[str, Any]) -> None:
    """Every request got its answer."""
    fates = Counter(totals["fates"])
    assert set(fates) == {"ok"}, (totals["fates"], totals["lost"][:10])
    assert fates["ok"] == totals["sent"]


def percentile(values: Sequence[float], which: int) -> float:
    """The value that so many of a hundred do not exceed."""
    assert values, "nothing was measured"
    return sorted(values)[len(values) * which // 100]
