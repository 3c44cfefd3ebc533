"""Redis: one client for all, and what to do while it is away.

The app works without Redis, only slower. After a failure nobody asks Redis for a second, and
then one caller alone, so that requests do not queue up for an answer that does not come.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app import metrics

DOWN = (RedisError, OSError, TimeoutError)
REST = 1.0  # seconds without Redis after it failed

T = TypeVar("T")


def connect(url: str, timeout: float = 0.5) -> Redis:
    """A client that gives up on an answer after `timeout` seconds."""
    return Redis.from_url(
        url,
        decode_responses=True,
        socket_connect_timeout=0.25,
        socket_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
    )


class AwayError(Exception):
    """Redis did not answer."""


class Fast:
    """Redis, as long as it answers."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self._broken = False
        self._again_at = 0.0

    async def ask(self, call: Callable[[Redis], Awaitable[T]]) -> T:
        """Make one call.

        Raises:
            AwayError: it failed, or one failed just before.
        """
        if self._broken:
            now = time.monotonic()
            if now < self._again_at:
                raise AwayError
            self._again_at = now + REST  # the others wait for what this call finds
        try:
            answer = await call(self.redis)
        except DOWN as error:
            metrics.REDIS_DOWN.inc()
            self._broken, self._again_at = True, time.monotonic() + REST
            raise AwayError from error
        self._broken = False
        return answer

    async def close(self) -> None:
        await self.redis.aclose()
