"""Moves clicks from Redis into PostgreSQL: `python -m app.worker`.

An entry leaves the stream only after its clicks are stored. One that is delivered again,
after a worker was killed in between, changes nothing: each click has its id. Any number of
workers may run. What is stored is announced, so that open pages show it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
from contextlib import suppress

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from app import clicks, database, fast, logs
from app.events import CLICKED
from app.settings import Settings
from app.store import Store

GROUP = "workers"
BATCH = 20  # entries; each holds the clicks of up to a thousand visitors
WAIT = 1.0  # seconds; also how long a stop may take while nothing is to do
ABANDONED = 10.0  # seconds after which another worker's unfinished entries are taken over

PAUSE = 0.25  # seconds between two announcements; a link may get thousands of clicks in one

log = logging.getLogger("app.worker")
Entries = list[tuple[str, dict[str, str]]]


class News:
    """Announces what links have in all, soon after that has changed."""

    def __init__(self, redis: Redis, store: Store) -> None:
        self._redis = redis
        self._store = store
        self._changed: set[int] = set()
        self._any = asyncio.Event()

    def add(self, links: set[int]) -> None:
        self._changed |= links
        self._any.set()

    async def run(self) -> None:
        """Announce until cancelled. What fails is not said again: a page asks when it opens."""
        while True:
            await self._any.wait()
            self._any.clear()
            links, self._changed = self._changed, set()
            with suppress(*fast.DOWN, *database.DOWN):
                totals = json.dumps(await self._store.totals(links))
                await self._redis.publish(CLICKED, totals)
            await asyncio.sleep(PAUSE)


async def work(redis: Redis, pool: asyncpg.Pool, news: News, stop: asyncio.Event) -> None:
    """Store clicks until `stop` is set, waiting out a Redis or PostgreSQL that is away."""
    name = f"{socket.gethostname()}-{os.getpid()}"
    while not stop.is_set():
        try:
            await _join(redis)
            while entries := await _read(redis, name, "0"):  # unfinished when the last try failed
                await _store(redis, pool, news, entries)
            while not stop.is_set():
                if entries := await _next(redis, name):
                    await _store(redis, pool, news, entries)
        except (*fast.DOWN, *database.DOWN) as error:
            log.warning("waiting", extra={"error": repr(error)})
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), WAIT)


async def _join(redis: Redis) -> None:
    """Make the group if Redis is new, and take the names of the dead off its list."""
    try:
        await redis.xgroup_create(clicks.STREAM, GROUP, id="0", mkstream=True)
    except ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise
    for one in await redis.xinfo_consumers(clicks.STREAM, GROUP):
        if one["pending"] == 0 and one["idle"] > 3_600_000:
            await redis.xgroup_delconsumer(clicks.STREAM, GROUP, one["name"])


async def _next(redis: Redis, name: str) -> Entries:
    """What a worker that died left behind, else what is new."""
    idle = int(ABANDONED * 1000)
    left = await redis.xautoclaim(clicks.STREAM, GROUP, name, idle, count=BATCH)
    if left[1]:
        return list(left[1])
    return await _read(redis, name, ">")


async def _read(redis: Redis, name: str, since: str) -> Entries:
    wait = int(WAIT * 1000)
    found = await redis.xreadgroup(GROUP, name, {clicks.STREAM: since}, count=BATCH, block=wait)
    return list(found[0][1]) if found else []


async def _store(redis: Redis, pool: asyncpg.Pool, news: News, entries: Entries) -> None:
    given: dict[str, clicks.Click] = {}
    for number, fields in entries:
        try:
            given |= {click.id: click for click in clicks.unpack(fields["clicks"])}
        except (KeyError, ValueError):
            log.exception("an entry cannot be read", extra={"entry": number, "fields": fields})
    await clicks.store(pool, list(given.values()))
    ids = [number for number, _ in entries]
    pipe = redis.pipeline()
    pipe.xack(clicks.STREAM, GROUP, *ids)
    pipe.xdel(clicks.STREAM, *ids)
    await pipe.execute()
    news.add({click.link for click in given.values()})
    log.info("stored", extra={"clicks": len(given)})


async def main() -> None:
    logs.set_up()
    settings = Settings.read()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with (
        fast.connect(settings.redis_url, timeout=WAIT + 4) as redis,
        database.open_pool(settings.database_url, 2, "worker") as pool,
    ):
        news = News(redis, Store(pool))
        telling = asyncio.create_task(news.run())
        log.info("ready")
        await work(redis, pool, news, stop)
        telling.cancel()


if __name__ == "__main__":
    asyncio.run(main())
