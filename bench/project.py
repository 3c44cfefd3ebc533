"""A project to measure, on ports and in folders of its own."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import geartrain

HERE = Path(__file__).parent
CLONE = HERE.parent
PATIENCE = 60.0
# Compiled modules are kept, as they are for anybody who uses it.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(geartrain.__file__).parents[1])}
GEAR = (sys.executable, "-m", "geartrain")


def free_port() -> int:
    """A port that nothing listens on, and that no client is given (ip_local_port_range, ip(7))."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("", port))
            return port


def ask(port: int, path: str = "/", address: str = "127.0.0.1") -> str:
    """The body of a 200 over a new connection, or "" when there is none."""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = b""
    with (
        contextlib.suppress(OSError),
        socket.create_connection((address, port), timeout=5) as link,
    ):
        link.sendall(request.encode())
        while data := link.recv(65536):
            answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    return body.decode() if b" 200 " in head.partition(b"\r\n")[0] else ""


def wait_for(port: int, begins: str, path: str = "/", address: str = "127.0.0.1") -> float:
    """Wait for an answer that begins so; the moment at which it came.

    `{}` in the path becomes another number each time, for answers that a cache keeps.
    """
    end = time.monotonic() + PATIENCE
    tries = itertools.count()
    while not (seen := ask(port, path.format(next(tries)), address)).startswith(begins) or not seen:
        if time.monotonic() > end:
            raise TimeoutError(f"no answer that begins with {begins!r} on port {port}")
        time.sleep(0.002)
    return time.monotonic()


def run(words: Sequence[str | Path], **options: object) -> subprocess.CompletedProcess[str]:
    """Run a program; its output is shown when it fails."""
    done = subprocess.run(  # type: ignore[call-overload]  # options go through
        list(words), capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
        timeout=4 * PATIENCE, **options,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))}: {done.stderr}{done.stdout}")
    return done  # type: ignore[no-any-return]  # see above


def seconds(words: Sequence[str | Path], **options: object) -> float:
    """How long a program takes."""
    began = time.monotonic()
    run(words, **options)
    return time.monotonic() - began


@dataclass
class Project:
    """A folder with a Compose file, and `gear` upon it."""

    folder: Path
    port: int

    def gear(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `gear` here."""
        return run([*GEAR, *words], cwd=self.folder, env=ENVIRONMENT)

    def up(self) -> subprocess.CompletedProcess[str]:
        """`gear up -d` on this project's port."""
        return self.gear("up", "-d", "--json", "--port", f"80={self.port}")

    def write_version(self, version: str) -> None:
        """The one-line change."""
        (self.folder / "backend" / "version.py").write_text(f'VERSION = "{version}"\n')

    def python(self) -> Path:
        """The interpreter with the backend's packages."""
        return next((self.folder / ".gear" / "envs").glob("*/bin/python"))


@contextlib.contextmanager
def project(app: str = "visits") -> Iterator[Project]:
    """Copy an app of this folder, or the example; all that is started of it is stopped after."""
    with tempfile.TemporaryDirectory(prefix="gear-bench-") as place:
        # PostgreSQL does not run as root: its user must come through here.
        Path(place).chmod(0o755)
        folder = Path(place) / app
        source = CLONE / "examples" / app if app == "links" else HERE / "apps" / app
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns(".gear"))
        made = Project(folder, free_port())
        try:
            yield made
        finally:
            subprocess.run([*GEAR, "down"], cwd=folder, env=ENVIRONMENT, capture_output=True)
