"""Counts stored clicks into days and totals, and deletes old ones: `python -m app.tally`.

Runs once a minute. Two that meet, because one takes long or because two releases stand side
by side, do not count twice: see `lease`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from datetime import date

import asyncpg
from redis.asyncio import Redis

from app import database, fast, lease, logs
from app.settings import Settings

BATCH = 5000  # clicks in one transaction
LEASE = 20.0  # seconds; a batch takes a small part of one
KEEP = "7 days"  # longer than any click is delivered again

log = logging.getLogger("app.tally")


async def tally(redis: Redis, pool: asyncpg.Pool, seconds: float = LEASE) -> int:
    """Count all clicks that are there, under a lock for each batch.

    Returns:
        How many.

    Raises:
        lease.HeldError: another one is at it.
        lease.LostError: another one took over; what this one had in hand is not written.
    """
    counted = 0
    while True:
        async with lease.held(redis, pool, "tally", seconds) as mine:
            clicks = await read(pool)
            if clicks:
                await write(pool, mine, clicks)
        counted += len(clicks)
        if len(clicks) < BATCH:
            return counted


async def read(pool: asyncpg.Pool) -> list[asyncpg.Record]:
    """Clicks that are not counted yet."""
    return await pool.fetch(
        "SELECT id, link_id, (at AT TIME ZONE 'UTC')::date AS day FROM clicks"
        " WHERE NOT counted LIMIT $1",
        BATCH,
    )


async def write(pool: asyncpg.Pool, mine: lease.Lease, clicks: list[asyncpg.Record]) -> None:
    """Add clicks to their days and totals, if the lock is still ours."""
    days: Counter[tuple[int, date]] = Counter((one["link_id"], one["day"]) for one in clicks)
    links: Counter[int] = Counter(one["link_id"] for one in clicks)

    async def once() -> None:
        async with pool.acquire() as connection, connection.transaction():
            await mine.check(connection)
            # Locked in one order; a link that was deleted meanwhile takes its clicks with it.
            await connection.execute(
                "SELECT FROM links WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE",
                list(links),
            )
            await connection.execute(
                """
                INSERT INTO days (link_id, day, clicks)
                SELECT links.id, given.day, given.n
                FROM unnest($1::bigint[], $2::date[], $3::bigint[]) AS given (link, day, n)
                JOIN links ON links.id = given.link
                ON CONFLICT (link_id, day) DO UPDATE SET clicks = days.clicks + excluded.clicks
                """,
                [link for link, _ in days],
                [day for _, day in days],
                list(days.values()),
            )
            await connection.execute(
                "UPDATE links SET clicks = clicks + given.n"
                " FROM unnest($1::bigint[], $2::bigint[]) AS given (link, n)"
                " WHERE links.id = given.link",
                list(links),
                list(links.values()),
            )
            ids = [one["id"] for one in clicks]
            await connection.execute("UPDATE clicks SET counted = true WHERE id = ANY($1)", ids)

    await database.retried(once)


async def prune(pool: asyncpg.Pool) -> None:
    """Delete clicks that were counted long ago; their days stay."""
    await pool.execute(
        "DELETE FROM clicks WHERE id IN (SELECT id FROM clicks"
        f" WHERE counted AND at < now() - interval '{KEEP}' LIMIT 50000)"
    )


async def main() -> None:
    logs.set_up()
    settings = Settings.read()
    async with (
        fast.connect(settings.redis_url, timeout=5) as redis,
        database.open_pool(settings.database_url, 1, "tally") as pool,
    ):
        try:
            log.info("counted", extra={"clicks": await tally(redis, pool)})
            await prune(pool)
        except lease.HeldError:
            log.info("another one is at it")
        except lease.LostError as error:
            log.warning("lost the lock; the other one goes on", extra={"error": str(error)})


if __name__ == "__main__":
    asyncio.run(main())
