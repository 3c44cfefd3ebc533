"""The stream of clicks on one's links."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from app.api.guard import Cookie, Reader
from app.fast import AwayError
from app.problems import Refusal, responses
from app.state import Have

router = APIRouter(tags=["links"])


@router.get(
    "/api/events",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "Clicks as they happen"},
        **responses(401, 429, 503),
    },
)
async def events(have: Have, session: Reader, cookie: Cookie) -> StreamingResponse:
    """The clicks on one's links, as server-sent events.

    `clicks` carries what slugs have in all; `reset` says that some news may have been missed.
    """
    if have.hub.full(session.account):
        raise Refusal(429, "there are enough streams open already", {"Retry-After": "5"})

    async def still() -> bool:
        try:
            return await have.sessions.lasts(cookie or "")
        except AwayError:
            return True

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    lines = have.hub.listen(session.account, still)
    return StreamingResponse(lines, 200, headers, "text/event-stream")
