"""`GET /l/{slug}`: what everybody waits for, and so plain ASGI, without the framework's layers.

A visitor is sent on only after the click is safe, so each answer is one click, and one only.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app import database, problems
from app.models import SLUG
from app.state import Parts

PREFIX = "/l/"
_SLUG = re.compile(SLUG)
_HEADERS = [(b"cache-control", b"no-store"), (b"referrer-policy", b"no-referrer")]
_END = {"type": "http.response.body", "body": b""}


async def redirect(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request for a path below `/l/`."""
    try:
        url = await _follow(scope)
    except database.DOWN as error:
        url = problems.unavailable(error)
    if isinstance(url, Response):
        await url(scope, receive, send)
        return
    # Characters that a header cannot hold are none in an address either (RFC 3986).
    location = quote(url, safe="!#$%&'()*+,/:;=?@[]~").encode("ascii")
    headers = [*_HEADERS, (b"location", location), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 302, "headers": headers})
    await send(_END)


async def _follow(scope: Scope) -> str | Response:
    have: Parts = scope["state"]["parts"]
    slug, method = scope["path"][len(PREFIX) :], scope["method"]
    if method not in ("GET", "HEAD"):
        return problems.answer(405, Allow="GET, HEAD")
    target = await have.targets.of(slug) if _SLUG.fullmatch(slug) else None
    if target is None:
        return problems.answer(404, "no link has this name")
    if method == "GET":  # HEAD is for machines that look, not for people who go
        visit = next((v for k, v in scope["headers"] if k == b"x-visit-id"), b"")
        await have.recorder.record(target.link, visit.decode("latin-1"))
    return target.url
