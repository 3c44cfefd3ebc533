"""A watcher at work on a host, as systemd runs it, and what it is seen to have done."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from geartrain.engine.docker.host import DockerHost
from tests.cli.running import until
from tests.dockerd import docker
from tests.server.pushing import GEAR, Clone, HostFolder

ALIVE = b"WATCHDOG=1"


class Watcher:
    """`gear host watch`, and the socket that stands for systemd's."""

    def __init__(self, host: HostFolder, place: Path) -> None:
        self.host = host
        self._place = place
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._path = f"/tmp/gear-notify-{os.getpid()}-{id(self)}"
        self.socket.bind(self._path)
        self.socket.settimeout(60)
        self.log = place / "watcher.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it says that it is ready."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*GEAR, "host", "watch"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.host.environment({"NOTIFY_SOCKET": self._path}), cwd=self._place,
            )  # fmt: skip
        self.hears(b"READY=1")

    @property
    def pid(self) -> int:
        assert self.process
        assert self.process.poll() is None, self.log.read_text()
        return self.process.pid

    def hears(self, word: bytes) -> None:
        """Wait until it tells systemd something."""
        end = time.monotonic() + 60
        while word not in self.socket.recv(4096).split(b"\n"):
            assert time.monotonic() < end, self.log.read_text()

    def told(self) -> list[bytes]:
        """What it told systemd and nobody read yet."""
        found = []
        self.socket.settimeout(0)
        try:
            with contextlib.suppress(BlockingIOError):
                while True:
                    found.append(self.socket.recv(4096))
        finally:
            self.socket.settimeout(60)
        return found

    def resident(self) -> float:
        """Its memory in MB."""
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        assert found
        return int(found[1]) / 1024

    def kill(self, number: int = signal.SIGKILL) -> int:
        """End it."""
        assert self.process
        self.process.send_signal(number)
        return self.process.wait(30)

    def finish(self) -> None:
        if self.process and self.process.poll() is None:
            self.kill(signal.SIGTERM)
        self.socket.close()
        Path(self._path).unlink(missing_ok=True)
        sys.stderr.write(self.log.read_text() if self.log.exists() else "")
        own = self.host.folder / "watch.log"
        sys.stderr.write(own.read_text() if own.exists() else "")


@contextlib.contextmanager
def watched(host: HostFolder, place: Path) -> Iterator[Watcher]:
    """A watcher that runs, until the end of the block."""
    made = Watcher(host, place)
    try:
        made.start()
        yield made
    finally:
        made.finish()


def restarts(shop: Clone) -> list[dict[str, Any]]:
    """What the history tells of restarts, the newest first."""
    events = shop.gear("releases", "-n", "1000", "--json").json()["events"]
    return [one for one in events if one["what"] == "restarted"]


def container(shop: Clone, name: str) -> str:
    """The name of an instance's container."""
    host = DockerHost(shop.host.folder)
    base = f"{shop.app}-{host.facts.id}"
    service, _, rest = name.partition(".")
    release, _, index = rest.partition(".")
    return f"{base}--r{release}-{service}-{index}" if rest else f"{base}-{service}-1"


def started(name: str) -> str:
    """When a container started last."""
    return docker("inspect", "--format={{.State.StartedAt}}", name)


def restarted(shop: Clone, name: str, since: int) -> dict[str, Any]:
    """Wait until an instance's restart is in the history, beyond the first so many."""

    def found() -> dict[str, Any] | None:
        every = restarts(shop)
        new = every[: len(every) - since]
        return next((one for one in new if one["instance"] == name), None)

    seen = until(found, f"{name} was restarted", 120)
    assert seen
    return seen
