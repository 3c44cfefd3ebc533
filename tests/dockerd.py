"""A real Docker for the tests: the daemon, and a thin way to ask it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

DOCKER = "docker"


def docker(*words: str | Path, timeout: float = 300) -> str:
    """Run a docker command and return what it said; its failure is the test's."""
    done = subprocess.run(
        [DOCKER, *map(str, words)], capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, f"docker {' '.join(map(str, words))}:\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


def answers() -> bool:
    """Tell whether a Docker daemon can be asked."""
    return subprocess.run([DOCKER, "info"], capture_output=True, check=False).returncode == 0


@contextmanager
def daemon(folder: Path) -> Iterator[None]:
    """Start dockerd where none answers, as on a machine without systemd.

    Test runs beside each other share it: the last of them stops what one of them started.
    """
    with _file("starting") as starting, _file("using") as using:
        fcntl.flock(starting, fcntl.LOCK_EX)
        fcntl.flock(using, fcntl.LOCK_SH)
        if not answers():
            pid = _start(folder / "dockerd.log")
            using.truncate(0)
            os.pwrite(using.fileno(), str(pid).encode(), 0)
        fcntl.flock(starting, fcntl.LOCK_UN)
        try:
            yield
        finally:
            with contextlib.suppress(BlockingIOError):  # others use it
                fcntl.flock(using, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if pid := int(os.pread(using.fileno(), 20, 0) or 0):
                    _stop(pid)
                    using.truncate(0)


def _file(what: str) -> IO[bytes]:
    return Path(tempfile.gettempdir(), f"geartrain-tests-dockerd-{what}").open("a+b")


def _stop(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # somebody else was quicker
        fd = os.pidfd_open(pid)
        if b"dockerd" in Path(f"/proc/{pid}/cmdline").read_bytes():
            signal.pidfd_send_signal(fd, signal.SIGTERM)
            assert select.select([fd], [], [], 60)[0], f"dockerd ({pid}) does not end"
        os.close(fd)


def _start(log: Path) -> int:
    with log.open("w") as out:
        started = subprocess.Popen(
            ["dockerd"], stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    deadline = time.monotonic() + 60
    while not answers():
        trouble = "ended" if started.poll() is not None else "is silent"
        if trouble == "ended" or time.monotonic() > deadline:
            started.kill()
            raise AssertionError(f"dockerd {trouble}:\n{log.read_text()[-2000:]}")
        time.sleep(0.2)
    started.returncode = 0  # it may outlive this run
    return started.pid
