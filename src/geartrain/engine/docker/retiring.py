"""Instances that are about to go: noted on disk, and ended by a process of its own.

A note stands for each until it is gone. The process outlives the command that
starts it; one that was killed is noticed, for nobody holds its lock, and then
its notes count for nothing: the next plan retires the same instances again.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import msgspec

from geartrain import durable
from geartrain.engine import aside
from geartrain.engine.descent import began
from geartrain.engine.docker import api, networks
from geartrain.engine.docker.api import RefusedError
from geartrain.engine.docker.client import docker
from geartrain.engine.docker.host import DockerHome
from geartrain.engine.docker.observing import Container, inspect, of_app
from geartrain.render import containers

# nginx itself ends its old workers after x-gear.drain; this is for one that hangs.
DRAIN_AT_MOST = 3600.0
LOCK = "retire.lock"
TITLE = "gear retire"
LINES = 5000  # of an instance's log that are kept when it goes


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """An instance that goes once these processes have ended: the pid of each, and when it began.

    Times are Unix seconds, but for that one (see `began`).
    """

    container: str
    name: str
    after: tuple[tuple[int, int], ...] = ()
    until: float = 0.0


def write(home: DockerHome, found: Sequence[Container], after: Sequence[int]) -> None:
    """Note that containers are to go once some processes have ended."""
    until = time.time() + DRAIN_AT_MOST
    awaited = tuple((pid, began(pid)) for pid in after)
    for one in found:
        note = Note(container=one.id, name=one.name.removeprefix("/"), after=awaited, until=until)
        durable.write(home.retiring / one.id, msgspec.json.encode(note), 0o600)


def notes(home: DockerHome) -> tuple[Note, ...]:
    """What is noted, whether or not somebody is at it."""
    found = []
    for path in sorted(home.retiring.iterdir()) if home.retiring.is_dir() else ():
        try:
            if not path.name.startswith("."):
                found.append(msgspec.json.decode(path.read_bytes(), type=Note))
        except (OSError, msgspec.DecodeError):
            continue  # it is gone meanwhile
    return tuple(found)


def stopping(home: DockerHome) -> frozenset[str]:
    """Ids of the containers that a running process is about to end."""
    noted = notes(home)
    if not noted or not at_work(home):
        return frozenset()
    return frozenset(note.container for note in noted)


def keep(home: DockerHome, container: str) -> bool:
    """Take an instance back. False when it is being stopped already: then it is gone now."""
    path = home.retiring / container
    with _hold(home, container):
        there = path.exists()
        path.unlink(missing_ok=True)
        return there or bool(inspect(container))


def at_work(home: DockerHome) -> bool:
    """Whether the process that ends instances runs."""
    return aside.held(home.run / LOCK)


def begin(home: DockerHome) -> None:
    """See to it that a process is at what is noted; it outlives this one."""
    if not notes(home) or (fd := aside.take(home.run / LOCK)) is None:
        return
    try:
        aside.hand_over(lambda: end_all(home, fd), home.logs / "retire.log", fd, TITLE)
    finally:
        os.close(fd)


def wait(home: DockerHome, timeout: float) -> bool:
    """Wait up to `timeout` seconds until nothing is noted any more; says whether that is so."""
    end = time.monotonic() + timeout
    while notes(home):
        begin(home)
        left = end - time.monotonic()
        if left <= 0:
            return False
        _wait([aside.pid(home.run / LOCK)], left)
    return True


def _hold(home: DockerHome, container: str) -> AbstractContextManager[None]:
    """Be the only one who decides about an instance."""
    return durable.alone(home.run / f"{container[:12]}.lock")


def end_all(home: DockerHome, lock: int) -> None:
    """End everything that is noted, each when its time has come. Runs in its own process.

    A terminal that closes, and Ctrl-C there, are not meant for it.

    Args:
        home: the app's home.
        lock: descriptor of the lock that was taken for this process.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    held: int | None = lock
    while held is not None:
        while noted := notes(home):
            now = time.time()
            due = [n for n in noted if now > n.until or not any(_runs(*one) for one in n.after)]
            if due:
                with ThreadPoolExecutor(len(due)) as pool:
                    list(pool.map(lambda note: _end(home, note), due))
            else:
                _wait([pid for note in noted for pid, _ in note.after], 1.0)
        os.close(held)
        # Whoever noted something in this very moment saw somebody at work.
        held = aside.take(home.run / LOCK) if notes(home) else None


def _end(home: DockerHome, note: Note) -> None:
    path = home.retiring / note.container
    with _hold(home, note.container):
        if path.exists():
            found = inspect(note.container)
            remove(home, found)
            path.unlink(missing_ok=True)
            _leave_network(home, {one.instance.release for one in found if one.instance})
    (home.run / f"{note.container[:12]}.lock").unlink(missing_ok=True)


def _leave_network(home: DockerHome, releases: set[int | None]) -> None:
    """Remove the networks of releases of which nothing is left."""
    with home.network_lock():
        left = {one.instance.release for one in of_app(home) if one.instance}
        gone = [n for n in releases if n is not None and n not in left]
        networks.remove(*(containers.project(home.base, number) for number in gone))
        for number in gone:
            home.forget(f"releases/{number}")


def remove(home: DockerHome, found: Sequence[Container]) -> None:
    """Stop containers with their own signal and grace, keep their last lines, take them away."""
    names = [one.id for one in found]
    if not names:
        return
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(_stop, names))
        list(pool.map(lambda one: _keep_log(home, one), found))
        list(pool.map(_take_away, names))


def _stop(container: str) -> None:
    """With its own signal and grace period."""
    with contextlib.suppress(RefusedError):  # it has ended already
        api.post("containers", container, "stop", within=DRAIN_AT_MOST + 100)


def _take_away(container: str) -> None:
    with contextlib.suppress(RefusedError):  # somebody else is about to
        api.delete("containers", container, force="1", v="1")


def _keep_log(home: DockerHome, one: Container) -> None:
    """Its container's log goes with it; what it said last may still be asked for."""
    done = docker("logs", "--timestamps", f"--tail={LINES}", "--", one.id, check=False)
    lines = sorted((done.out + done.err).split("\n"), key=lambda line: line.partition(" ")[0])
    if any(lines) and (who := one.instance) is not None:
        text = "".join(f"{line}\n" for line in lines if line)
        (home.logs / f"{who.name}.log").write_text(text)


def kept_log(home: DockerHome, one: Container) -> list[str]:
    """What a container that is gone had said, each line after its time (RFC 3339, in UTC)."""
    try:
        name = one.instance.name if one.instance else ""
        return (home.logs / f"{name}.log").read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []


def _wait(pids: Sequence[int], seconds: float) -> None:
    """Wait until one of some processes ends, for a time at most."""
    fds = []
    try:
        for pid in set(pids):
            try:
                fds.append(os.pidfd_open(pid))
            except OSError:  # it has ended
                seconds = min(seconds, 0.01)
        select.select(fds, [], [], seconds)
    finally:
        for fd in fds:
            os.close(fd)


def _runs(pid: int, since: int) -> bool:
    return since != 0 and began(pid) == since
