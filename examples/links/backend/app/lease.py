"""A lock in Redis that ends by itself, with a token that PostgreSQL checks.

A holder that was paused for longer than its lease does not know that it has lost the lock.
So each holder gets a number, larger than all before (a fencing token), and writes it down
in PostgreSQL before it reads anything. Whoever writes checks, in the same transaction, that
its number is still the one that stands there. The lock spares double work; the fence is
what makes double work harmless.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
from redis.asyncio import Redis

# One step for Redis. The counter never falls behind PostgreSQL's, even if Redis lost its data.
_ACQUIRE = """
if not redis.call('set', KEYS[1], ARGV[1], 'nx', 'px', ARGV[2]) then return 0 end
local token = redis.call('incr', KEYS[2])
if token <= tonumber(ARGV[3]) then
    token = tonumber(ARGV[3]) + 1
    redis.call('set', KEYS[2], token)
end
return token
"""
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end"


class HeldError(Exception):
    """Somebody else has the lock."""


class LostError(Exception):
    """The lease ended meanwhile and somebody else went on; nothing was written."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A lock that is held, as far as its holder knows."""

    name: str
    token: int

    async def check(self, connection: asyncpg.Connection) -> None:
        """Make sure, within a transaction that writes, that nobody holds it after us.

        Keeps the next holder waiting until the transaction has ended.

        Raises:
            LostError: somebody does.
        """
        newest = await connection.fetchval(
            "SELECT token FROM fences WHERE name = $1 FOR SHARE", self.name
        )
        if newest != self.token:
            raise LostError(f"{self.name}: token {self.token}, but {newest} came after it")


@asynccontextmanager
async def held(redis: Redis, pool: asyncpg.Pool, name: str, seconds: float) -> AsyncIterator[Lease]:
    """Hold a lock for at most `seconds`.

    Raises:
        HeldError: somebody else has it.
    """
    key, mine = f"lock:{name}", secrets.token_hex(16)
    floor = await pool.fetchval("SELECT token FROM fences WHERE name = $1", name) or 0
    keys = (key, f"fence:{name}")
    token = await redis.eval(_ACQUIRE, 2, *keys, mine, int(seconds * 1000), floor)
    if not token:
        raise HeldError(name)
    try:
        await pool.execute(
            "INSERT INTO fences AS known (name, token) VALUES ($1, $2) ON CONFLICT (name)"
            " DO UPDATE SET token = excluded.token WHERE known.token < excluded.token",
            name,
            token,
        )
        yield Lease(name, token)
    finally:
        await redis.eval(_RELEASE, 1, key, mine)
