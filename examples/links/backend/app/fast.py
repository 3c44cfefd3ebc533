"""Redis: how it is reached, and what to do while it is away.

Redirects work without Redis, only slower, and do not wait for it for long; log-ins have nothing
else to ask, and wait out a pause of it (a slow disk). After a failure nobody asks Redis for a
second, and then one caller alone, so that requests do not queue up for an answer that does not
come.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Broken
from redis.exceptions import RedisError

from app import metrics

DOWN = (RedisError, OSError, TimeoutError)
REST = 1.0  # seconds without Redis after it failed
SHORT, LONG = 0.5, 3.0  # seconds for an answer: with another way than Redis, and without

T = TypeVar("T")


def connect(url: str, timeout: float = SHORT) -> Redis:
    """A client that gives up on an answer after `timeout` seconds."""
    return Redis.from_url(
        url,
        decode_responses=True,
        socket_connect_timeout=min(timeout / 2, 1.0),
        socket_timeout=timeout,
        # Connections that waited here do not notice that Redis was restarted before they are used.
        # Every call may be made twice: clicks have ids, and of guesses one too many is counted.
        retry=Retry(NoBackoff(), 1, supported_errors=(Broken,)),
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
