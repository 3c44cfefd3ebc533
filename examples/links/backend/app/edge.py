"""What is done for every request: its id, its size, its measure. Redirects part from the API."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from functools import lru_cache

from fastapi import HTTPException
from prometheus_client import Counter, Histogram
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import metrics, problems
from app.logs import request_id
from app.redirect import PREFIX, redirect

LARGEST_BODY = 16 * 1024
SLOW = 1.0  # seconds
STREAM = "/api/events"  # lasts for hours, and would spoil the measure
log = logging.getLogger("app.requests")


class TooLargeError(HTTPException):  # of the kind that FastAPI lets through while it reads a body
    """A body is longer than is allowed."""

    def __init__(self) -> None:
        super().__init__(413, f"the body is over {LARGEST_BODY} bytes", {"Connection": "close"})


class Edge:
    """Wraps the app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id.set(headers.get(b"x-request-id", b"")[:128].decode("latin-1"))
        began = time.perf_counter()
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            _check(int(headers.get(b"content-length", b"0")))
            app = redirect if scope["path"].startswith(PREFIX) else self._app
            with suppress(ClientDisconnect):
                await app(scope, _bounded(receive), watched)
        except TooLargeError as error:
            answer = problems.answer(413, error.detail, **(error.headers or {}))
            await answer(scope, receive, watched)
        finally:
            _note(scope, status, time.perf_counter() - began)


def _check(length: int) -> None:
    if length > LARGEST_BODY:
        raise TooLargeError


def _bounded(receive: Receive) -> Receive:
    """Read a body whose length nobody said, up to a limit."""
    got = 0

    async def bounded() -> Message:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        _check(got)
        return message

    return bounded


@lru_cache(maxsize=1000)
def _meters(method: str, path: str, status: int) -> tuple[Counter, Histogram]:
    return metrics.REQUESTS.labels(method, path, status), metrics.SECONDS.labels(path)


def _note(scope: Scope, status: int, seconds: float) -> None:
    """Measure a request; log it when it failed or took long. nginx logs every one."""
    if scope["path"].startswith(PREFIX):
        path = "/l/{slug}"
    else:
        path = getattr(scope.get("route"), "path", "none")
    requests, times = _meters(scope["method"] if path != "none" else "other", path, status)
    requests.inc()
    if path == STREAM:
        return
    times.observe(seconds)
    if status >= 500 or seconds > SLOW:
        extra = {"status": status, "seconds": round(seconds, 4)}
        log.warning("%s %s", scope["method"], scope["path"], extra=extra)
