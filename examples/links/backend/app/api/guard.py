"""Who may do what: sessions, and protection against requests that another site forges."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Header, Request, Security
from fastapi.security import APIKeyCookie

from app.problems import Refusal
from app.sessions import COOKIE, Session
from app.state import Have

Cookie = Annotated[
    str | None, Security(APIKeyCookie(name=COOKIE, scheme_name="session", auto_error=False))
]


async def signed_in(have: Have, token: Cookie) -> Session:
    """The session that comes with a request; 401 without one."""
    session = await have.sessions.find(token or "")
    if session is None:
        raise Refusal(401, "log in first", {"WWW-Authenticate": 'Session realm="links"'})
    return session


Reader = Annotated[Session, Depends(signed_in)]


async def may_write(
    request: Request,
    session: Reader,
    csrf: Annotated[str | None, Header(alias="X-CSRF-Token", max_length=100)] = None,
) -> Session:
    """The same for what changes something; 403 unless it comes from our own page."""
    await same_site(request)
    if not csrf or not session.accepts(csrf):
        raise Refusal(403, "send the `csrf` of GET /api/session as the header X-CSRF-Token")
    return session


async def same_site(request: Request) -> None:
    """Refuse what a browser says comes from another site."""
    site = request.headers.get("sec-fetch-site", "none")
    origin = request.headers.get("origin", "")
    if site not in ("same-origin", "none") or (origin and not _ours(request, origin)):
        raise Refusal(403, "requests from another site are refused")


def _ours(request: Request, origin: str) -> bool:
    return urlsplit(origin).netloc == request.headers.get("host", "")


Writer = Annotated[Session, Depends(may_write)]
SameSite = Depends(same_site)
