"""What processes that ask for the same slug at once cost PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import secrets


def test_an_answer_that_came_before_the_lock_is_taken() -> None:
    """One process looks, another fills and lets go, then the first takes the lock."""
    from app.cache import Targets
    from app.fast import Fast, connect

    slug, asked = "herd-" + secrets.token_hex(4), []

    async def load(slug: str):
        asked.append(slug)

    class Slow(Fast):
        """After its first look somebody else is quicker."""

        looked = False

        async def ask(self, call):
            answer = await super().ask(call)
            if not self.looked:
                self.looked = True
                await Targets(Fast(self.redis), load, 60, 1).of(slug)
            return answer

    async def both() -> bool:
        slow = Slow(connect(os.environ["REDIS_URL"]))
        await Targets(slow, load, 60, 1).of(slug)
        held = await slow.redis.exists(f"loading:{slug}")
        await slow.close()
        return bool(held)

    assert not asyncio.run(both()), "nobody holds the lock afterwards"
    assert asked == [slug]
