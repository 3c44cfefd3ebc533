"""PostgreSQL: the pool, its limits, and what its being away looks like."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

T = TypeVar("T")

# What asyncpg raises when the server is away, starting, stopping, or too slow.
DOWN = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that broke while it was handed back
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.TooManyConnectionsError,
    asyncpg.LockNotAvailableError,
)
# Two transactions stood in each other's way; done again, each of them succeeds.
CONFLICT = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
LIMITS = {
    "statement_timeout": "4s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "10s",
}


def open_pool(url: str, size: int, name: str) -> asyncpg.Pool:
    """A pool that connects on first use, so that the app starts before its database.

    Args:
        url: where the database is.
        size: most connections of this process. All instances together, those of the
            version before included, must stay below PostgreSQL's `max_connections`.
        name: what PostgreSQL calls this process in its own lists.
    """
    return asyncpg.create_pool(
        url,
        min_size=0,
        max_size=size,
        timeout=3,
        command_timeout=5,
        server_settings={**LIMITS, "application_name": name},
    )


async def retried(work: Callable[[], Awaitable[T]], times: int = 4) -> T:
    """Do a whole transaction again when it met another one."""
    for attempt in range(1, times):
        try:
            return await work()
        except CONFLICT:
            await asyncio.sleep(0.01 * 2**attempt)
    return await work()
