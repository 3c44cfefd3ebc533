"""What an app's containers say from now on, also those that start meanwhile."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Collection, Iterator
from queue import SimpleQueue

from geartrain.engine.docker import logs, observing
from geartrain.engine.docker.client import reaching
from geartrain.engine.docker.host import DockerHome
from geartrain.engine.docker.logs import service_of
from geartrain.engine.docker.observing import Container
from geartrain.render import containers


def follow(home: DockerHome, wanted: Collection[str], since: str) -> Iterator[str]:
    """Lines from a time on; ends when the daemon does.

    Args:
        home: the app's home.
        wanted: services; none for all but the edge, which other apps use too.
        since: the time (RFC 3339).
    """
    said: SimpleQueue[tuple[Container | None, str]] = SimpleQueue()
    running: list[subprocess.Popen[str]] = []
    try:
        # Before the containers are listed: none may start unseen between the two.
        mine = ((containers.APP, home.name), (containers.HOST, home.host.facts.id))
        only = [f"--filter=label={key}={value}" for key, value in mine]
        words = ("events", *only, "--filter=event=start", "--format={{.ID}}")
        running.append(_read(None, said, *words))
        there = [one for one in logs.of(home, wanted) if one.running]
        running += [_read(one, said, *_lines(one, since)) for one in there]
        while True:
            whose, text = said.get()
            if whose is not None:
                if line := logs.written(logs.name_of(whose), text):
                    yield line
            elif not text:
                return
            else:
                new = [o for o in observing.inspect(text) if not wanted or service_of(o) in wanted]
                running += [_read(one, said, *_lines(one, one.state.started)) for one in new]
    finally:
        for process in running:
            process.kill()
            process.wait()


def _lines(one: Container, since: str) -> tuple[str, ...]:
    return ("logs", "--follow", "--timestamps", f"--since={since}", "--", one.id)


def _read(
    whose: Container | None, said: SimpleQueue[tuple[Container | None, str]], *words: str
) -> subprocess.Popen[str]:
    """Start a `docker` that goes on; its lines come into the queue, and an empty one at its end."""
    process = subprocess.Popen(
        [reaching(), *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip

    def read() -> None:
        for line in process.stdout or ():
            said.put((whose, line.rstrip("\n")))
        said.put((whose, ""))

    threading.Thread(target=read, daemon=True).start()
    return process
