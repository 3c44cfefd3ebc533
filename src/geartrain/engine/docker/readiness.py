"""Waiting for instances to get ready, and telling well why one did not."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from geartrain.app.model import Service
from geartrain.app.release import InstanceId
from geartrain.engine.docker import space
from geartrain.engine.docker.client import docker
from geartrain.engine.docker.observing import Container, ended_with, inspect, wrong
from geartrain.engine.listeners import listening_ports
from geartrain.engine.protocol import Outcome
from geartrain.run import TAIL_LINES

START_TIMEOUT = 30.0
ONE_SHOT_TIMEOUT = 3600.0
# What is said in the first moment is stamped earlier than the start itself. Docker waits
# 0.1 s before it starts one again, so that nothing of the try before is in it.
EARLY = 0.09
AGAIN = 0.02  # seconds between two probes
FRESH = 1.0  # seconds for which what Docker told of one that runs is believed
LAST_TRY = 2.0  # seconds
ATTEMPTS = 2  # one more try for what came up before something it talks to


@dataclass(frozen=True, kw_only=True)
class Awaited:
    """An instance that is waited for: its container, and for how many seconds at most."""

    id: InstanceId
    container: str
    within: float


def limit(service: Service) -> float:
    """How long an instance of a service has to get ready, in seconds."""
    if service.one_shot:
        return ONE_SHOT_TIMEOUT
    check = service.healthcheck
    return check.start_period if check and check.start_period else START_TIMEOUT


def wait(awaited: Sequence[Awaited]) -> tuple[Outcome, ...]:
    """Wait until each is ready, or one has failed: then the others are not waited for.

    Returns:
        An outcome for each, the one that failed first before those that it kept waiting.
    """
    began = time.monotonic()
    settled: dict[InstanceId, Outcome] = {}
    left = {one.id: one for one in awaited}
    with ThreadPoolExecutor(max(1, min(16, len(awaited)))) as pool:
        seen: dict[InstanceId, Container] = {}
        told = began
        while left and all(outcome.ok for outcome in settled.values()):
            if time.monotonic() - told > FRESH:
                seen, told = {}, time.monotonic()
            seen = _seen(left, seen)
            asked = dict(zip(left, pool.map(_judge, left.values(), [seen.get(who) for who in left]),
                             strict=True))  # fmt: skip
            late = time.monotonic() - began
            for who, (outcome, trouble) in asked.items():
                if outcome is None and late > left[who].within:
                    outcome = _late(left[who], seen[who], trouble)
                if outcome is not None:
                    settled[who] = outcome
                    del left[who]
            if left:
                _rest([seen[who] for who in left if who in seen])
    rest = [Outcome(id=who, ok=False, reason="was not waited for any more") for who in left]
    return (*sorted(settled.values(), key=lambda outcome: outcome.ok), *rest)


def _seen(
    left: Mapping[InstanceId, Awaited], before: Mapping[InstanceId, Container]
) -> dict[InstanceId, Container]:
    """The containers as they are; Docker is asked about those that changed or were not seen yet."""
    kept = {who: before[who] for who in left if who in before and _same(before[who])}
    names = {one.container: who for who, one in left.items() if who not in kept}
    found = inspect(*names)
    return kept | {names[name]: c for c in found if (name := c.name.removeprefix("/")) in names}


def _same(one: Container) -> bool:
    """Whether the process that Docker told of still runs."""
    return one.running and one.probe != "exit" and Path(f"/proc/{one.state.pid}").exists()


def _judge(one: Awaited, found: Container | None) -> tuple[Outcome | None, str]:
    """The outcome, or None while it may still get ready; and what is missing."""
    if found is None:
        return Outcome(id=one.id, ok=False, reason="its container is gone"), ""
    state = found.state
    if found.probe == "schedule":
        return Outcome(id=one.id, ok=True), ""
    if found.running and found.restarts < ATTEMPTS:
        trouble = wrong(found)
        return (None, trouble) if trouble else (Outcome(id=one.id, ok=True), "")
    if state.status == "exited" and found.probe == "exit" and state.code == 0:
        return Outcome(id=one.id, ok=True), ""
    if state.status in ("created", "restarting") and found.restarts < ATTEMPTS and not state.error:
        return None, "it starts"
    if state.status in ("restarting", "running"):
        found = _give_up(found)
    reason = ended_with(found) + space.exhausted()
    return Outcome(id=one.id, ok=False, reason=reason, tail=tail(found)), ""


def _give_up(found: Container) -> Container:
    """Let one that ends again and again end for the last time."""
    docker("update", "--restart=no", "--", found.id, check=False)
    end = time.monotonic() + LAST_TRY
    while not (now := next(iter(inspect(found.id)), found)).ended and time.monotonic() < end:
        _rest([now])  # between two tries it neither runs nor has an exit code
    if not now.ended:
        docker("stop", "--time=1", "--", found.id, check=False)
    return next(iter(inspect(found.id)), now)


def _late(one: Awaited, found: Container, trouble: str) -> Outcome:
    reason = f"is not ready after {one.within:g} s: {trouble}"
    if found.probe.startswith(("http:", "tcp:")):
        reason += elsewhere(found)
    return Outcome(id=one.id, ok=False, reason=reason, tail=tail(found))


def elsewhere(found: Container) -> str:
    """What a container that does not answer listens on instead."""
    wanted = found.probe.split(":")[1]
    ports = listening_ports(found.state.pid)
    if not ports:
        return "; it listens on no port at all"
    if any(address.rpartition(":")[2] == wanted for address in ports):
        here = [a for a in ports if a.rpartition(":")[2] == wanted]
        inside = all(a.startswith(("127.", "::1")) for a in here)
        return f"; it listens on {', '.join(here)}, which nobody else reaches" if inside else ""
    return f"; it listens on {', '.join(ports)} (say so with x-gear.port)"


def tail(found: Container) -> tuple[str, ...]:
    """The last lines that a container wrote since it started last, oldest first."""
    if not found.started:
        return ()
    done = docker(
        "logs", "--timestamps", f"--since={found.started - EARLY:.6f}", f"--tail={TAIL_LINES}",
        "--", found.id, check=False,
    )  # fmt: skip
    # Both outputs come apart; the times put them together again.
    lines = sorted((done.out + done.err).split("\n"), key=lambda line: line.partition(" ")[0])
    return tuple(line.partition(" ")[2] for line in lines if line)[-TAIL_LINES:]


def _rest(found: Sequence[Container]) -> None:
    """Wait for the next probe, or less when a process ends."""
    fds = []
    try:
        for one in found:
            try:
                fds.append(os.pidfd_open(one.state.pid))
            except OSError:  # it has ended, or another machine's Docker is asked
                continue
        select.select(fds, [], [], AGAIN)
    finally:
        for fd in fds:
            os.close(fd)
