"""Redis, PostgreSQL and workers are killed under load.

What is promised: every redirect that was answered is one click, whatever dies meanwhile. One
that was not answered is one click or none, since its visitor may have been cut off just after.
A request that nginx gives to a second backend, since the first one died, is still one click.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cli.running import PATIENCE, until
from tests.links.live import FULL, Crowd, Live, Person

pytestmark = [pytest.mark.links, pytest.mark.timeout(600)]

CLICKS = 100_000 if FULL else 10_000


def kill(live: Live, service: str) -> None:
    """kill -9, and wait until it is back."""
    pid = live.pid(service)
    os.kill(pid, signal.SIGKILL)
    back = time.monotonic() + PATIENCE
    while not any(one["pid"] != pid for one in live.ready(service)):
        assert time.monotonic() < back, f"{service} is not back\n{live.logs()}"
        time.sleep(0.05)


def settled(live: Live, slugs: list[str]) -> dict[str, int]:
    """What each link has in all, once nothing is on its way any more."""
    until(
        lambda: live.redis("XLEN", "clicks") == "0", "every click has left the stream", 120
    )  # fmt: skip
    named = ", ".join(f"'{slug}'" for slug in slugs)
    rows = live.sql(
        "SELECT slug, count(clicks.id) FROM links LEFT JOIN clicks ON link_id = links.id"
        f" WHERE slug IN ({named}) GROUP BY slug"
    )
    return {slug: int(n) for slug, n in (row.split("|") for row in rows.splitlines())}


def check(live: Live, person: Person, crowd: Crowd, slugs: list[str]) -> None:
    stored = settled(live, slugs)
    for slug in slugs:
        least, most = crowd.answered[slug], crowd.answered[slug] + crowd.failed[slug]
        assert least <= stored[slug] <= most, (slug, crowd.said)
        # The same by the app's own words, before and after the tally.
        assert person.clicks(slug) == stored[slug]
    live.gear("run", "tally", "python", "-m", "app.tally")
    for slug in slugs:
        assert person.clicks(slug) == stored[slug]
        days = person.get(f"/api/links/{slug}/statistics").json()["days"]
        assert sum(day["clicks"] for day in days) == stored[slug]


def test_no_click_is_lost_or_counted_twice(live: Live, person: Person) -> None:
    slugs = [person.link(f"https://example.com/{n}") for n in range(5)]
    crowd = Crowd(live.port, slugs)

    def killing() -> None:
        for share, service in enumerate(
            ("worker", "redis", "backend", "postgres", "worker", "redis", "backend", "worker"), 1
        ):
            until(lambda s=share: crowd.total >= CLICKS * s / 10, "the load goes on", 300)
            kill(live, service)

    crowd.go(CLICKS, killing)
    said = f"{crowd.total} answered, {crowd.failed.total()} not: {dict(crowd.said)}"
    logging.getLogger(__name__).warning(said)  # `pytest -rP` shows it
    assert crowd.total >= CLICKS
    assert crowd.failed.total() < CLICKS / 20, crowd.said
    check(live, person, crowd, slugs)


def test_redirects_go_on_while_redis_hangs(live: Live, person: Person) -> None:
    """Stopped, it takes connections and never answers: worse than being gone."""
    slugs = [person.link(f"https://example.com/{n}") for n in range(3)]
    crowd = Crowd(live.port, slugs, visitors=8)
    pid = live.pid("redis")

    def hang() -> None:
        until(lambda: crowd.total > 200, "a load")
        os.kill(pid, signal.SIGSTOP)
        try:
            seen = crowd.total
            time.sleep(3)  # for as long, the app is without Redis
            assert crowd.total - seen > 200, "redirects go on"
            # What needs Redis says so.
            assert person.get("/api/session").status == 503
        finally:
            os.kill(pid, signal.SIGCONT)

    crowd.go(1000, hang)
    assert crowd.failed.total() == 0, crowd.said
    assert crowd.slowest < 3.0
    until(lambda: on_all(person, "/api/session"), "log-ins work again")
    check(live, person, crowd, slugs)


def test_nobody_is_refused_once_redis_is_back(live: Live, person: Person) -> None:
    """Connections that the app kept are dead by then, more of them than one visitor uses."""

    def visits() -> set[int]:
        with ThreadPoolExecutor(16) as pool:
            return {a.status for a in pool.map(person.get, ["/api/session"] * 64)}

    assert visits() == {200}
    kill(live, "redis")
    assert visits() == {200}


def test_log_ins_wait_out_a_pause_of_redis(live: Live, person: Person) -> None:
    """As when its disk is busy for a moment."""
    until(lambda: on_all(person, "/api/session"), "both are connected")
    pid = live.pid("redis")
    os.kill(pid, signal.SIGSTOP)
    goes_on = threading.Timer(1.0, os.kill, (pid, signal.SIGCONT))
    goes_on.start()
    try:
        began = time.monotonic()
        assert person.get("/api/session").status == 200
        assert time.monotonic() - began > 0.9, "it was in the pause"
        assert on_all(person, "/api/session")
    finally:
        goes_on.join()


def test_redirects_that_are_remembered_go_on_while_postgresql_hangs(
    live: Live, person: Person
) -> None:
    slugs = [person.link(f"https://example.com/{n}") for n in range(3)]
    crowd = Crowd(live.port, slugs, visitors=8)
    crowd.go(100)
    pid = live.pid("postgres")
    stopped = [pid, *children(pid)]
    for one in stopped:
        os.kill(one, signal.SIGSTOP)
    try:
        crowd.go(1000)
        refused = person.get("/api/links")
        assert refused.status == 503
        assert "database" in refused.problem
    finally:
        for one in stopped:
            os.kill(one, signal.SIGCONT)
    assert crowd.failed.total() == 0, crowd.said
    until(lambda: on_all(person, "/api/links"), "the database is back")
    check(live, person, crowd, slugs)


def on_all(person: Person, path: str) -> bool:
    """Whether every backend answers: they take turns, and each waits for itself."""
    return all(person.get(path).status == 200 for _ in range(12))


def children(pid: int) -> list[int]:
    words = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(word) for word in words]
