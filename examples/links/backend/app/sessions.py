"""Who is logged in: sessions in Redis, found by a random token in a cookie.

Redis knows only the token's hash, so that what it holds cannot be used to log in. A log-in
always makes a new token. Each session has a second one against forged requests (CSRF),
which a page reads from `GET /api/session` and sends in a header, as no other site can.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass
from hmac import compare_digest

from app.fast import Fast

COOKIE = "session"


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is logged in."""

    account: int
    name: str
    csrf: str

    def accepts(self, csrf: str) -> bool:
        return compare_digest(self.csrf.encode(), csrf.encode())


class Sessions:
    """Sessions that end `seconds` after the last visit."""

    def __init__(self, fast: Fast, seconds: int) -> None:
        self._fast = fast
        self.seconds = seconds

    async def start(self, account: int, name: str, old: str) -> tuple[str, Session]:
        """Log in: a new session, in place of an old one if there is any.

        Returns:
            The token for the cookie, and the session.

        Raises:
            AwayError: Redis does not answer.
        """
        token = secrets.token_urlsafe(32)
        session = Session(account, name, secrets.token_urlsafe(32))

        def put(redis):
            pipe = redis.pipeline()
            if old:
                pipe.delete(_key(old))
            pipe.set(_key(token), json.dumps(asdict(session)), ex=self.seconds)
            return pipe.execute()

        await self._fast.ask(put)
        return token, session

    async def find(self, token: str) -> Session | None:
        """The session of a token, and let it last anew."""
        if not token or len(token) > 100:
            return None
        found = await self._fast.ask(lambda redis: redis.getex(_key(token), ex=self.seconds))
        return Session(**json.loads(found)) if found else None

    async def lasts(self, token: str) -> bool:
        """Whether a session is still there; does not prolong it."""
        return bool(await self._fast.ask(lambda redis: redis.exists(_key(token))))

    async def end(self, token: str) -> None:
        await self._fast.ask(lambda redis: redis.delete(_key(token)))


def _key(token: str) -> str:
    return f"session:{hashlib.sha256(token.encode()).hexdigest()}"
