"""A code-only `git push`: until the new version answers, against the same by hand.

By hand, with the embedded engine: a push to a bare repository, the app's own
start, a confirmed reload of nginx. With Docker: a BuildKit build, `docker
run`, the first healthy answer, the reload. Beside it `docker compose up -d
--build`, with the time for which nothing answers.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figures import Figure
from bench.floor import ByHand, by_hand, own_start
from bench.project import ENVIRONMENT, GEAR, HERE, Project, ask, free_port, run, seconds, wait_for
from geartrain.engine.docker.client import Builder, client
from geartrain.engine.embedded import binaries

APP = "hello"
BASE = "python:3.12-slim"
NOBODY = {
    "GIT_CONFIG_GLOBAL": os.devnull, "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com",
}  # fmt: skip
RELOADED = "pid nginx.pid; error_log stderr warn; daemon off;\nevents {{}}\nhttp {{ access_log off;"
RELOADED += " server {{ listen 127.0.0.1:{port}; return 200 '{number} '; }} }}\n"


@dataclass
class Pushed:
    """A clone, and the app that it is pushed to."""

    folder: Path
    host: Path
    port: int

    @property
    def env(self) -> dict[str, str]:
        """Of every command here."""
        return {**ENVIRONMENT, **NOBODY, "GEAR_HOST": str(self.host)}

    def git(self, *words: str) -> None:
        """Run Git in the clone."""
        run(["git", *words], cwd=self.folder, env=self.env)

    def gear(self, *words: str) -> None:
        """Run `gear` on the host."""
        run([*GEAR, *words], cwd=self.folder, env=self.env)

    def change(self, version: str) -> None:
        """The one-line change, committed."""
        (self.folder / "backend" / "version.py").write_text(f'VERSION = "{version}"\n')
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", version)

    def push(self, version: str) -> tuple[float, float]:
        """Seconds until the version answers, and until the push is back."""
        seen: list[float] = []
        watching = threading.Thread(
            target=lambda: seen.append(wait_for(self.port, f"{version} ", "/hello"))
        )
        began = time.monotonic()
        watching.start()
        self.git("push", "--quiet", "live", "main")
        back = time.monotonic() - began
        watching.join()
        return seen[0] - began, back


def measure(runs: int) -> Iterator[Figure]:
    """The embedded engine, and Docker where a daemon answers."""
    yield from _measure("embedded", runs)
    if docker_answers():
        yield from _measure("docker", runs)


def docker_answers() -> bool:
    """Whether there is a Docker to measure."""
    return (
        bool(shutil.which("docker"))
        and not subprocess.run(["docker", "info"], capture_output=True, check=False).returncode
    )


def _measure(engine: str, runs: int) -> Iterator[Figure]:
    live: list[float] = []
    command: list[float] = []
    floor: list[float] = []
    back: list[float] = []
    composed: list[tuple[float, float]] = []
    with (
        TemporaryDirectory(prefix="gear-bench-") as place,
        app(Path(place), engine) as made,
        by_hand(Path(place) / "hand") as hand,
    ):
        reload = Reload(hand)
        for number in range(2, runs + 3):
            made.change(str(number))
            if engine == "embedded":
                alone = _embedded(made, hand, Path(place)) + reload()
            else:
                alone = _docker(made, Path(place), str(number)) + reload()
                composed.append(_compose(made, Path(place), str(number)))
            seen, ended = made.push(str(number))
            if number > 2:
                floor.append(alone)
                live.append(seen)
                command.append(ended)
                back.append(_rolled_back(made))
                made.gear("rollback")
    kept = {"part": "push", "unit": "s"}
    yield Figure(
        name=f"{engine}: one line pushed, live", values=tuple(live), floor=tuple(floor),
        most_times=2.0, most=2.5, **kept,
    )  # fmt: skip
    yield Figure(name=f"{engine}: the push is back", values=tuple(command), **kept)
    yield Figure(name=f"{engine}: gear rollback", values=tuple(back), most=1.5, **kept)
    if composed:
        first, down = zip(*composed[1:], strict=True)
        yield Figure(name="docker compose up -d --build, live", values=first, **kept)
        yield Figure(name="docker compose up -d --build, nothing answers", values=down, **kept)


def _rolled_back(made: Pushed) -> float:
    return seconds([*GEAR, "rollback"], cwd=made.folder, env=made.env)


@contextlib.contextmanager
def app(place: Path, engine: str, number: int = 1) -> Iterator[Pushed]:
    """An app on a host in a folder, live; apps of the same folder are on one host."""
    place.chmod(0o755)
    made = Pushed(place / f"{APP}-{number}", place / "host", free_port())
    shutil.copytree(HERE / "apps" / APP, made.folder)
    compose = made.folder / "docker-compose.yml"
    compose.write_text(compose.read_text().replace("80:80", f"{made.port}:80"))
    made.gear("host", "init", "--engine", engine)
    name = f"bench{os.getpid()}-{number}"
    made.gear("app", "create", name)
    made.git("init", "--quiet", "--initial-branch=main")
    made.git("remote", "add", "live", str(made.host / "apps" / name / "repo.git"))
    made.change("1")
    try:
        made.git("push", "--quiet", "live", "main")
        wait_for(made.port, "1 ", "/hello")
        yield made
    finally:
        subprocess.run(
            [*GEAR, "destroy", name, "--data", "--yes"], cwd=place, env=made.env,
            capture_output=True, check=False,
        )  # fmt: skip


class Reload:
    """A hand-written nginx that is reloaded, and the reload confirmed."""

    def __init__(self, hand: ByHand) -> None:
        self._folder = hand.folder / "reload"
        self._folder.mkdir()
        self._port, self._number = free_port(), 0
        self._write()
        conf = self._folder / "nginx.conf"
        self._master = hand.start(binaries.nginx(), "-p", self._folder, "-c", conf)
        wait_for(self._port, "0 ")

    def _write(self) -> None:
        text = RELOADED.format(port=self._port, number=self._number)
        (self._folder / "nginx.conf").write_text(text)

    def __call__(self) -> float:
        """Test, signal, wait until the new generation answers; seconds."""
        self._number += 1
        began = time.monotonic()
        self._write()
        run([binaries.nginx(), "-t", "-q", "-p", self._folder, "-c", self._folder / "nginx.conf"])
        self._master.send_signal(signal.SIGHUP)
        return wait_for(self._port, f"{self._number} ") - began


def _embedded(made: Pushed, hand: ByHand, place: Path) -> float:
    bare = place / "bare.git"
    if not bare.exists():
        run(["git", "init", "--quiet", "--bare", bare])
    push = seconds(
        ["git", "push", "--quiet", "--force", bare, "main"], cwd=made.folder, env=made.env
    )
    return push + own_start(hand, Project(made.folder, made.port), Path(sys.executable), {})


def _context(made: Pushed, place: Path) -> Path:
    """The backend with a base image that is there."""
    folder = place / "by-hand"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(made.folder / "backend", folder / "backend")
    dockerfile = folder / "backend" / "Dockerfile"
    there = subprocess.run(["docker", "image", "inspect", BASE], capture_output=True, check=False)
    if there.returncode:
        text = dockerfile.read_text()
        dockerfile.write_text(text.replace(f"FROM {BASE}", f"FROM geartrain/{BASE}"))
    return folder


def _docker(made: Pushed, place: Path, version: str) -> float:
    """Build, run, first healthy answer; then it is taken away."""
    folder, port, tag = _context(made, place), free_port(), f"gear-bench-hand:{version}"
    env = {**os.environ, "DOCKER_BUILDKIT": "1"}
    docker = client().program  # of several the one that can do BuildKit
    began = time.monotonic()
    run([docker, "build", "--quiet", "--tag", tag, folder / "backend"], env=env)
    started = run([docker, "run", "--detach", f"--publish=127.0.0.1:{port}:8080", tag])
    try:
        return wait_for(port, f"{version} ", "/hello") - began
    finally:
        run([docker, "rm", "--force", started.stdout.strip()])
        run([docker, "rmi", "--force", tag])


def _buildx() -> bool:
    return client().builder is Builder.BUILDX


def _compose(made: Pushed, place: Path, version: str) -> tuple[float, float]:
    """Seconds until the new version answers, and for how many nothing did."""
    folder, port = _context(made, place), made.port + 1
    name = f"gear-bench-compose-{os.getpid()}"
    text = f"services: {{backend: {{build: ./backend, ports: ['127.0.0.1:{port}:8080']}}}}\n"
    (folder / "compose.yml").write_text(text)
    from geartrain.load.resolve import binary

    words = [*binary(os.environ), "--project-name", name, "--file", folder / "compose.yml"]
    env = {**os.environ, "DOCKER_BUILDKIT": "1" if _buildx() else "0"}
    before = folder / "backend" / "version.py"
    new = before.read_text()
    before.write_text('VERSION = "before"\n')
    try:
        run([*words, "up", "--detach", "--build"], env=env)
        wait_for(port, "before ", "/hello")
        before.write_text(new)
        down = 0.0
        done = threading.Event()

        def watch() -> None:
            nonlocal down
            while not done.is_set():
                asked = time.monotonic()
                if not ask(port, "/hello"):
                    time.sleep(0.002)
                    down += time.monotonic() - asked

        watching = threading.Thread(target=watch)
        began = time.monotonic()
        watching.start()
        run([*words, "up", "--detach", "--build"], env=env)
        live = wait_for(port, f"{version} ", "/hello") - began
        done.set()
        watching.join()
        return live, down
    finally:
        run([*words, "down", "--timeout", "1", "--rmi", "all"], env=env)
