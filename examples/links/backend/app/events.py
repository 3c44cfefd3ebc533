"""What is announced in Redis, for this process: one subscription, any number of listeners."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

from app import cache, metrics
from app.fast import DOWN, connect

CLICKED = "clicked"
BACKLOG = 100  # events that a slow listener may be behind; it misses what is older
QUIET = 15.0  # seconds after which a comment keeps the connection open
RETRY = 1.0  # seconds between attempts to reach Redis
MOST = 10  # streams of one account in one process


class Hub:
    """Passes clicks on to the listeners of their account, and changes to the cache."""

    def __init__(self, url: str, changed: Callable[[str], None]) -> None:
        self._url = url
        self._changed = changed
        self._listeners: dict[int, set[asyncio.Queue[str | None]]] = {}

    async def run(self) -> None:
        """Follow the announcements until cancelled."""
        while True:
            with suppress(*DOWN):
                async with connect(self._url, timeout=60) as redis, redis.pubsub() as channel:
                    await channel.subscribe(CLICKED, cache.CHANNEL)
                    self._tell_all("event: reset\ndata: {}\n\n")  # something may have been missed
                    while True:
                        message = await channel.get_message(timeout=30)
                        if message and message["type"] == "message":
                            self._hear(message["channel"], message["data"])
            await asyncio.sleep(RETRY)

    def full(self, account: int) -> bool:
        """True when an account has as many streams as it may have."""
        return len(self._listeners.get(account, ())) >= MOST

    def close(self) -> None:
        """End every stream; the browser comes back by itself, to another instance."""
        self._tell_all(None)

    def _hear(self, channel: str, data: str) -> None:
        if channel == cache.CHANNEL:
            self._changed(data)
            return
        for account, totals in json.loads(data).items():
            for queue in self._listeners.get(int(account), ()):
                _put(queue, f"event: clicks\ndata: {json.dumps(totals)}\n\n")

    def _tell_all(self, text: str | None) -> None:
        for queues in self._listeners.values():
            for queue in queues:
                _put(queue, text)

    async def listen(
        self, account: int, still: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[str]:
        """The lines of one event stream, while `still` says that its session lasts."""
        queue: asyncio.Queue[str | None] = asyncio.Queue(BACKLOG)
        mine = self._listeners.setdefault(account, set())
        mine.add(queue)
        metrics.LISTENERS.inc()
        try:
            yield "retry: 1000\n\n"
            while True:
                try:
                    text = await asyncio.wait_for(queue.get(), QUIET)
                    if text is None:
                        return
                    yield text
                except TimeoutError:
                    if not await still():
                        return
                    yield ":\n\n"
        finally:
            metrics.LISTENERS.dec()
            mine.discard(queue)
            if not mine and self._listeners.get(account) is mine:
                del self._listeners[account]


def _put(queue: asyncio.Queue[str | None], text: str | None) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(text)
