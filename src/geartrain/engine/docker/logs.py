"""What an app's containers have said, those that are gone too.

A line is `TIME INSTANCE TEXT`, as the embedded engine keeps it: the time in
RFC 3339, to the millisecond.
"""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

from geartrain.engine.docker import edge, observing
from geartrain.engine.docker.client import docker
from geartrain.engine.docker.host import DockerHome
from geartrain.engine.docker.observing import Container

EDGE = "edge"
MILLISECONDS = len("2026-01-31T12:00:00.000")


def services(home: DockerHome) -> set[str]:
    """The services that have said something, or may."""
    kept = {path.stem.rsplit(".", 2)[0] for path in home.logs.glob("*.*.log")}
    return kept | {one.instance.service for one in observing.of_app(home) if one.instance} | {EDGE}


def kept(home: DockerHome, wanted: Collection[str], since: str, tail: int, until: str) -> list[str]:
    """Lines that are there, oldest first.

    Args:
        home: the app's home.
        wanted: services; none for all but the edge, which other apps use too.
        since: only lines from this time on (RFC 3339), or "".
        tail: only so many of each instance, the newest; 0 for all.
        until: only lines before this time (RFC 3339).
    """
    found = of(home, wanted)
    with ThreadPoolExecutor(max(1, len(found))) as pool:
        said = list(pool.map(lambda one: _said(one, since, tail, until), found))
    names = {name_of(one) for one in found}
    for path in home.logs.glob("*.*.log"):
        service = path.stem.rsplit(".", 2)[0]
        if path.stem in names or (wanted and service not in wanted):
            continue
        lines = [written(path.stem, line) for line in path.read_text(errors="replace").split("\n")]
        lines = [line for line in lines if line and line >= since]
        said.append(lines[-tail:] if tail else lines)
    return sorted((line for lines in said for line in lines), key=lambda one: one.split(" ", 1)[0])


def of(home: DockerHome, wanted: Collection[str]) -> list[Container]:
    """The containers of some services; of all but the edge when none is named."""
    found = [one for one in observing.of_app(home) if not wanted or service_of(one) in wanted]
    front = edge.find(home.host) if EDGE in wanted else None
    return [*found, front] if front else found


def service_of(one: Container) -> str:
    """The service that a container is of."""
    return one.instance.service if one.instance else EDGE


def name_of(one: Container) -> str:
    """The instance that a container is."""
    return one.instance.name if one.instance else EDGE


def _said(one: Container, since: str, tail: int, until: str) -> list[str]:
    words = [f"--until={until}"]
    words += [f"--since={since}"] if since else []
    words += [f"--tail={tail}"] if tail else []
    done = docker("logs", "--timestamps", *words, "--", one.id, check=False)
    lines = (written(name_of(one), line) for line in (done.out + done.err).split("\n"))
    return sorted(filter(None, lines), key=lambda line: line.split(" ", 1)[0])


def written(name: str, said: str) -> str:
    """Docker's line, with nanoseconds, as one of ours."""
    stamp, space, text = said.partition(" ")
    return f"{stamp[:MILLISECONDS]}Z {name} {text}" if space else ""
