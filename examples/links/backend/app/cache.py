"""Where a slug leads: the memory of this process, then Redis, then PostgreSQL.

Cache-aside. A change of a link deletes what Redis holds and tells every process, so it is
seen at once as a rule. When that is lost (Redis was away, or a reader had read the old row
just before) the old address is given for `local_seconds` + `cache_seconds` at most.

Against stampedes: in one process, all that ask for the same slug wait for the same answer.
Between processes, the first one takes a lock in Redis and the others wait for what it puts
there, but not for longer than `PATIENCE`: then they ask PostgreSQL themselves.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from app import metrics
from app.fast import AwayError, Fast

CHANNEL = "changed"
LARGEST = 20_000  # slugs that one process remembers
PATIENCE = 1.0  # seconds
NOTHING = "-"  # remembered, too: a slug that no link has
NOTHING_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Target:
    """What a redirect needs of a link."""

    link: int
    url: str

    def packed(self) -> str:
        return f"{self.link} {self.url}"

    @classmethod
    def unpacked(cls, text: str) -> Target | None:
        if text == NOTHING:
            return None
        link, _, url = text.partition(" ")
        return cls(int(link), url)


Load = Callable[[str], Awaitable[Target | None]]


class Targets:
    """Finds targets by slug.

    Args:
        fast: Redis.
        load: asks PostgreSQL.
        seconds: how long Redis remembers.
        local_seconds: how long this process does.
    """

    def __init__(self, fast: Fast, load: Load, seconds: int, local_seconds: float) -> None:
        self._fast = fast
        self._load = load
        self._seconds = seconds
        self._local_seconds = local_seconds
        self._local: dict[str, tuple[float, Target | None]] = {}
        self._under_way: dict[str, asyncio.Task[Target | None]] = {}

    async def of(self, slug: str) -> Target | None:
        """The target of a slug, or None when no link has it."""
        known = self._local.get(slug)
        if known and known[0] > time.monotonic():
            metrics.LOOKUPS.labels("local").inc()
            return known[1]
        task = self._under_way.get(slug)
        if task is None:
            task = asyncio.create_task(self._find(slug))
            self._under_way[slug] = task
            task.add_done_callback(lambda _: self._under_way.pop(slug, None))
        # A visitor who goes away takes nothing from the others who wait.
        return await asyncio.shield(task)

    async def forget(self, slug: str) -> None:
        """Tell every process that a link has changed."""
        self.drop(slug)

        def delete(redis):
            pipe = redis.pipeline(transaction=False)
            pipe.delete(_key(slug))
            pipe.publish(CHANNEL, slug)
            return pipe.execute()

        with suppress(AwayError):
            await self._fast.ask(delete)

    def drop(self, slug: str) -> None:
        """Forget it in this process."""
        self._local.pop(slug, None)

    async def _find(self, slug: str) -> Target | None:
        try:
            target = await self._shared(slug)
        except AwayError:
            metrics.LOOKUPS.labels("database").inc()
            target = await self._load(slug)
        if len(self._local) >= LARGEST:
            self._local.clear()
        self._local[slug] = (time.monotonic() + self._local_seconds, target)
        return target

    async def _shared(self, slug: str) -> Target | None:
        """From Redis, or from PostgreSQL by one process for all."""
        key, lock = _key(slug), f"loading:{slug}"
        end = time.monotonic() + PATIENCE
        wait = 0.005
        while True:
            found = await self._fast.ask(lambda redis: redis.get(key))
            if found is not None:
                metrics.LOOKUPS.labels("redis").inc()
                return Target.unpacked(found)
            mine, found = await self._take(key, lock)
            if found is None and (mine or time.monotonic() > end):
                return await self._fill(slug, key, lock)
            if found is None:
                await asyncio.sleep(wait)
                wait = min(wait * 2, 0.05)

    async def _take(self, key: str, lock: str) -> tuple[bool, str | None]:
        """Ask for the lock, and look again: who held it may have put the answer there by now."""

        def take(redis):
            pipe = redis.pipeline()
            pipe.set(lock, "1", nx=True, px=int(PATIENCE * 1000))
            pipe.get(key)
            return pipe.execute()

        mine, found = await self._fast.ask(take)
        if mine and found is not None:
            await self._fast.ask(lambda redis: redis.delete(lock))
        return bool(mine), found

    async def _fill(self, slug: str, key: str, lock: str) -> Target | None:
        metrics.LOOKUPS.labels("database").inc()
        target = await self._load(slug)
        text = target.packed() if target else NOTHING
        seconds = self._seconds if target else min(NOTHING_SECONDS, self._seconds)

        def put(redis):
            pipe = redis.pipeline(transaction=False)
            pipe.set(key, text, ex=seconds)
            pipe.delete(lock)
            return pipe.execute()

        with suppress(AwayError):
            await self._fast.ask(put)
        return target


def _key(slug: str) -> str:
    return f"target:{slug}"
