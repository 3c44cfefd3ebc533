"""How an ACME authority is asked: never for longer than was said, and hearing what it adds.

Beside their content its answers say how long to wait (`Retry-After`), and what
time it is there (`Date`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import requests
from acme import client, messages
from josepy.jwa import ES256
from josepy.jwk import JWK

from geartrain.engine.certificates import Settings
from geartrain.server.clock import retry_after, seconds_ahead

ANSWER_WITHIN = 20.0  # seconds for one request
NONCES = 5  # tries with another nonce, as RFC 8555 (6.5) has it


class Network(client.ClientNetwork):
    """Asks in the name of an account.

    Args:
        key: the account's.
        settings: whom to trust there.
        within: seconds for all that is asked.
    """

    def __init__(self, key: JWK, settings: Settings, within: float) -> None:
        super().__init__(
            key, alg=ES256, user_agent="geartrain",
            verify_ssl=settings.authority or True,  # type: ignore[arg-type]  # requests' `verify`
        )  # fmt: skip
        self.wait = 0.0
        """Seconds that its last answer told to wait."""
        self.ahead = 0.0
        """Seconds that this machine's clock is ahead of its own."""
        self.session.close()
        self.session = _Bounded(within, self._hear)

    def post(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Post, again with the nonce that comes with a refusal of the last one."""
        for left in reversed(range(NONCES)):
            try:
                return self._post_once(*args, **kwargs)
            except messages.Error as error:
                if error.code != "badNonce" or not left:
                    raise
        raise AssertionError("the last try returns or raises")

    def _hear(self, answer: requests.Response) -> None:
        if not answer.ok and self.REPLAY_NONCE_HEADER in answer.headers:
            self._add_nonce(answer)  # the library keeps those of good answers alone
        now = time.time()
        self.wait = retry_after(answer.headers.get("Retry-After", ""), now)
        ahead = seconds_ahead(answer.headers.get("Date", ""), now)
        self.ahead = self.ahead if ahead is None else ahead


class _Bounded(requests.Session):
    """A session whose requests have an end in common."""

    def __init__(self, within: float, hear: Callable[[requests.Response], None]) -> None:
        super().__init__()
        self._end = time.monotonic() + within
        self._hear = hear

    def request(self, method: str, url: str, *args: Any, **rest: Any) -> requests.Response:  # type: ignore[override]  # all other arguments go on as they are
        left = self._end - time.monotonic()
        if left <= 0:
            raise requests.Timeout
        answer = super().request(
            method, url, *args, **{**rest, "timeout": min(ANSWER_WITHIN, left)}
        )
        self._hear(answer)
        return answer
