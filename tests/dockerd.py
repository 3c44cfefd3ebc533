"""A real Docker for the tests: the daemon, and a thin way to ask it."""

from __future__ import annotations

import fcntl
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
    """Start dockerd where none answers, as on a machine without systemd; stop what was started.

    Test runs beside each other use one: who started it stops it when nobody else is left.
    """
    with _lock("starting") as starting, _lock("using") as using:
        fcntl.flock(starting, fcntl.LOCK_EX)
        fcntl.flock(using, fcntl.LOCK_SH)
        started = None if answers() else _start(folder / "dockerd.log")
        fcntl.flock(starting, fcntl.LOCK_UN)
        try:
            yield
        finally:
            if started:
                fcntl.flock(using, fcntl.LOCK_EX)
                started.send_signal(signal.SIGTERM)
                started.wait(60)


def _lock(what: str) -> IO[bytes]:
    return Path(tempfile.gettempdir(), f"geartrain-tests-dockerd-{what}.lock").open("wb")


def _start(log: Path) -> subprocess.Popen[bytes]:
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
    return started
