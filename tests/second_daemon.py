"""A second Docker daemon beside the machine's own, to be killed and started again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from geartrain.engine.descent import descendants, send


class Daemon:
    """A second Docker daemon, with images of the first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "docker.sock"
        self.process: subprocess.Popen[bytes] | None = None
        self.bridge = f"gear{os.getpid()}"
        for words in (
            ("link", "add", "name", self.bridge, "type", "bridge"),
            ("address", "add", "198.51.100.1/28", "dev", self.bridge),
        ):
            subprocess.run(["ip", *words], check=True)
        # One of its own, which outlives it: as the packages set it up on a server.
        self.below = folder / "containerd.sock"
        with (folder / "containerd.log").open("ab") as log:
            self.containerd = subprocess.Popen(
                ["containerd", f"--root={folder / 'c-root'}", f"--state={folder / 'c-state'}",
                 f"--address={self.below}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def start(self) -> None:
        end = time.monotonic() + 60
        while not self.below.exists():
            assert time.monotonic() < end, (self.folder / "containerd.log").read_text()[-3000:]
            time.sleep(0.05)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    "dockerd", f"--data-root={self.folder / 'data'}",
                    f"--exec-root={self.folder / 'exec'}", f"--pidfile={self.folder / 'pid'}",
                    f"--host=unix://{self.socket}", f"--containerd={self.below}",
                    # Its neighbour's rules and bridge are left alone: without a bridge of its
                    # own, also with `none`, it would take or delete docker0.
                    f"--bridge={self.bridge}", "--iptables=false", "--ip6tables=false",
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        while not self.answers():
            assert self.process.poll() is None, (self.folder / "log").read_text()[-3000:]
            assert time.monotonic() < end
            time.sleep(0.05)

    def answers(self) -> bool:
        words = ["docker", "--host", f"unix://{self.socket}", "version"]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0

    def stop(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
        self.process = None

    def kill(self) -> None:
        """`kill -9` of the daemon; what it runs goes on."""
        assert self.process
        self.process.kill()
        self.process.wait(60)
        self.process = None

    def end_what_is_left(self) -> None:
        """Containerd, and containers of a daemon that did not come back."""
        subprocess.run(["ip", "link", "delete", self.bridge], check=False)
        self.containerd.terminate()
        self.containerd.wait(60)
        mark = os.fsencode(self.folder)
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and mark in (entry / "cmdline").read_bytes():
                    send([int(entry.name), *descendants(int(entry.name))], signal.SIGKILL)
        self._unmount()

    def _unmount(self) -> None:
        """Its own data folder and network, which a daemon leaves mounted."""
        lines = Path("/proc/self/mounts").read_text().splitlines()
        below = [line.split(" ")[1] for line in lines if f" {self.folder}/" in line]
        for point in reversed(below):  # what was mounted last, first
            subprocess.run(["umount", "--lazy", point], check=False)


@contextmanager
def second_daemon(folder: Path, images: set[str]) -> Iterator[Daemon]:
    made = Daemon(folder)
    made.start()
    before = os.environ.get("DOCKER_HOST")
    try:
        for image in images:
            saved = subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE)
            words = ["docker", "--host", f"unix://{made.socket}", "load"]
            subprocess.run(words, stdin=saved.stdout, check=True, capture_output=True)
            assert saved.wait() == 0
        os.environ["DOCKER_HOST"] = f"unix://{made.socket}"
        yield made
    finally:
        if before is None:
            os.environ.pop("DOCKER_HOST", None)
        else:
            os.environ["DOCKER_HOST"] = before
        made.stop()
        made.end_what_is_left()
