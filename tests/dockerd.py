"""A real Docker for the tests: the daemon, and a thin way to ask it."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    """Start dockerd where none answers, as on a machine without systemd; stop what was started."""
    if answers():
        yield
        return
    log = folder / "dockerd.log"
    with log.open("w") as out:
        started = subprocess.Popen(
            ["dockerd"], stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 60
        while not answers():
            assert started.poll() is None, f"dockerd ended:\n{log.read_text()[-2000:]}"
            assert time.monotonic() < deadline, f"dockerd is silent:\n{log.read_text()[-2000:]}"
            time.sleep(0.2)
        yield
    finally:
        started.send_signal(signal.SIGTERM)
        started.wait(60)
