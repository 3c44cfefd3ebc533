"""`kill -9` of each part under load: it comes back by itself, and what was promised holds."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.traffic.running import (
    Load,
    Project,
    alive,
    children,
    load,
    processes,
    survivors,
    until,
)

pytestmark = [pytest.mark.load, pytest.mark.timeout(600)]

Tell = Callable[..., None]
DISCONNECTED = {"refused", "unanswered", "cut"}


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def told(tell: Tell, totals: dict[str, Any]) -> None:
    gap = totals["longest_gap"]
    tell(fates=totals["fates"], **{"longest time without an answer": f"{gap:.2f} s"})


def replaced(stack: Project, service: str, old: int, index: int = 1) -> None:
    """Wait until another process does its work."""
    until(lambda: not alive(old), f"{service} has ended")
    until(lambda: stack.pid(service, index) != old, f"{service} runs again")


def still_well(stack: Project, traffic: Load) -> dict[str, Any]:
    """Answers go on, and from here on none is lost."""

    # Each of the app's instances finds out for itself that what it needs is back.
    def settled() -> bool:
        before = traffic.total - traffic.ok
        traffic.more(500)
        return traffic.total - traffic.ok == before

    until(settled, "a span without a loss")
    lost = traffic.total - traffic.ok
    traffic.more(500)
    totals = traffic.finish()
    assert sum(totals["fates"].values()) - totals["fates"]["ok"] <= lost, totals["lost"][-5:]
    return totals


def acknowledged(totals: dict[str, Any], name: str) -> set[str]:
    tokens = {f"{name}-{number}" for number in range(1, totals["sent"] + 1)}
    return tokens - set(totals["unacknowledged"])


def begun_answers(stack: Project) -> int:
    """How often nginx lost the service after the first byte of its answer."""
    log = stack.folder / ".gear" / "logs" / "edge.log"
    return log.read_text().count("while reading upstream") if log.exists() else 0


def test_nginx(stack: Project, tell: Tell) -> None:
    with load(stack.address, name="nginx") as traffic:
        traffic.more(500)
        master = stack.pid("edge")
        workers = children(master)
        kill(master)
        replaced(stack, "edge", master)
        totals = still_well(stack, traffic)
    told(tell, totals)
    assert not [pid for pid in workers if alive(pid)]
    assert set(totals["fates"]) <= {"ok", *DISCONNECTED}, totals["lost"]


def test_a_worker_of_nginx(stack: Project, tell: Tell) -> None:
    with load(stack.address, name="worker") as traffic:
        traffic.more(500)
        master = stack.pid("edge")
        worker = children(master)[0]
        kill(worker)
        until(lambda: not alive(worker), "the worker has ended")
        totals = still_well(stack, traffic)
    told(tell, totals)
    lost = totals["sent"] - totals["fates"]["ok"]
    assert lost <= 64, "at most the requests that this worker had"
    assert set(totals["fates"]) <= {"ok", *DISCONNECTED}, totals["lost"]


@pytest.mark.parametrize(("service", "path"), [("postgres", "/rows"), ("redis", "/keys")])
def test_a_data_service(stack: Project, tell: Tell, service: str, path: str) -> None:
    with load(stack.address, "post", path=path, name=service, connections=16) as traffic:
        traffic.more(200)
        server = stack.pid(service)  # PostgreSQL's is the postmaster
        kill(server)
        replaced(stack, service, server)
        totals = still_well(stack, traffic)
    kept = set(stack.ask(path).split())
    promised = acknowledged(totals, service)
    told(tell, totals)
    tell(acknowledged=len(promised), missing=len(promised - kept))
    assert promised <= kept
    assert set(totals["fates"]) <= {"ok", "status 503"}, totals["lost"]


def test_one_replica_of_two(stack: Project, tell: Tell) -> None:
    """The other answers. Only an answer that had begun cannot be given by somebody else."""
    before = begun_answers(stack)
    with load(stack.address, name="replica") as traffic:
        traffic.more(500)
        for index in (1, 2):
            replica = stack.pid("backend", index)
            kill(replica)
            replaced(stack, "backend", replica, index)
            traffic.more(500)
        totals = traffic.finish()
    begun = begun_answers(stack) - before
    told(tell, totals)
    tell(**{"answers that had begun": begun})
    lost = totals["sent"] - totals["fates"]["ok"]
    assert lost == begun <= 2, (totals["fates"], totals["lost"])
    assert set(totals["fates"]) <= {"ok", "cut", "unanswered"}, totals["lost"]


@pytest.mark.parametrize("which", ["supervisor", "and its guard", "and nginx's master"])
def test_the_supervisor(stack: Project, tell: Tell, which: str) -> None:
    """The next `gear up` brings all of it back; what was left behind is gone by then."""
    name = which.replace(" ", "-").replace("'", "")
    with load(stack.address, "post", path="/rows", name=name) as traffic:
        traffic.more(200)
        guard, supervisor = stack.guard_and_supervisor()
        master = stack.pid("edge")
        known = stack.family()
        if which == "supervisor":
            kill(supervisor)
            until(lambda: not survivors(known), "nothing is left behind")
            assert not processes(stack.folder)
        else:
            for pid in (guard, supervisor):
                os.kill(pid, signal.SIGSTOP)  # so that they can do nothing in between
            if which == "and nginx's master":
                kill(master)
            kill(supervisor)
            kill(guard)
        began = time.monotonic()
        stack.up()
        up = time.monotonic() - began
        until(lambda: not survivors(known), "nothing is left behind")
        totals = still_well(stack, traffic)
    rows = set(stack.ask("/rows").split())
    told(tell, totals)
    promised = acknowledged(totals, name)
    tell(up=f"{up:.2f} s", acknowledged=len(promised), missing=len(promised - rows))
    assert promised <= rows
