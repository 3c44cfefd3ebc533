from __future__ import annotations

import asyncio
import os
from uuid import uuid4

import pytest
from app import clicks, database, lease, tally
from app.fast import connect

from tests.conftest import Client, until


@pytest.mark.usefixtures("worker")
def test_clicks_are_counted_and_announced(client: Client) -> None:
    slug = client.make_link()["slug"]
    for _ in range(5):
        assert client.get(f"/l/{slug}").status_code == 302
    assert client.head(f"/l/{slug}").status_code == 302, "whoever only looks is not counted"

    def counted() -> bool:
        found = client.get(f"/api/links/{slug}/statistics").json()
        return found["clicks"] == 5 and sum(day["clicks"] for day in found["days"]) == 5

    until(counted, "five clicks are counted")
    with client.stream("GET", "/api/events") as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith("retry:")
        client.get(f"/l/{slug}")
        assert f'data: {{"{slug}": 6}}' in lines


def test_a_click_counts_once_however_often_it_is_stored_and_tallied(client: Client) -> None:
    slug = client.make_link()["slug"]

    async def work() -> None:
        url = os.environ["DATABASE_URL"]
        async with (
            database.open_pool(url, 4, "test") as pool,
            connect(os.environ["REDIS_URL"]) as redis,
        ):
            link = await pool.fetchval("SELECT id FROM links WHERE slug = $1", slug)
            given = [clicks.Click(uuid4().hex, link, 1_700_000_000_000 + n) for n in range(40)]
            orders = (given, given[::-1], given[10:30], given)
            await asyncio.gather(*(clicks.store(pool, order) for order in orders))
            await tally.tally(redis, pool)
            await clicks.store(pool, given)
            await tally.tally(redis, pool)

    asyncio.run(work())
    assert client.get(f"/api/links/{slug}").json()["clicks"] == 40


def test_who_has_lost_the_lock_writes_nothing(client: Client) -> None:
    slug = client.make_link()["slug"]

    async def work() -> None:
        url = os.environ["DATABASE_URL"]
        async with (
            database.open_pool(url, 4, "test") as pool,
            connect(os.environ["REDIS_URL"]) as redis,
        ):
            link = await pool.fetchval("SELECT id FROM links WHERE slug = $1", slug)
            await clicks.store(pool, [clicks.Click(uuid4().hex, link, 1_700_000_000_000)])
            async with lease.held(redis, pool, "tally", 0.05) as slow:
                in_hand = await tally.read(pool)
                await asyncio.sleep(0.1)  # longer than the lease
                await tally.tally(redis, pool)
                with pytest.raises(lease.LostError):
                    await tally.write(pool, slow, in_hand)
            with pytest.raises(lease.HeldError):
                async with lease.held(redis, pool, "tally", 5), lease.held(redis, pool, "tally", 5):
                    pass

    asyncio.run(work())
    assert client.get(f"/api/links/{slug}").json()["clicks"] == 1
