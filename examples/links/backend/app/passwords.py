"""Passwords: Argon2id, off the event loop, and few guesses a minute."""

from __future__ import annotations

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.fast import Fast

WRONG_A_MINUTE = 20  # of one account, from anywhere; nginx limits each address besides

# OWASP's second choice: 19 MiB, 2 passes. A few at a time, or guesses would fill the memory.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_at_once = asyncio.Semaphore(2)
_NOBODY = _hasher.hash("nobody has this password")


async def hashed(password: str) -> str:
    async with _at_once:
        return await asyncio.to_thread(_hasher.hash, password)


async def fits(known: str | None, password: str) -> bool:
    """Compare a password; an account that is not there takes as long as a wrong password."""
    async with _at_once:
        return await asyncio.to_thread(_verify, known, password)


def _verify(known: str | None, password: str) -> bool:
    try:
        return _hasher.verify(known or _NOBODY, password) and known is not None
    except (VerificationError, InvalidHashError):
        return False


class Guesses:
    """Counts the passwords that are tried for each account."""

    def __init__(self, fast: Fast) -> None:
        self._fast = fast

    async def allowed(self, name: str) -> bool:
        """Whether one more may be tried now; it is counted first, so that a flood is, too."""

        def count(redis):
            pipe = redis.pipeline()
            pipe.incr(_key(name))
            pipe.expire(_key(name), 60, nx=True)
            return pipe.execute()

        tried, _ = await self._fast.ask(count)
        return int(tried) <= WRONG_A_MINUTE

    async def right(self, name: str) -> None:
        """Start anew: that was the account's owner."""
        await self._fast.ask(lambda redis: redis.delete(_key(name)))


def _key(name: str) -> str:
    return f"wrong:{name}"
