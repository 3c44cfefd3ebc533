"""Accounts, and logging in and out."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from app import passwords
from app.api.guard import Cookie, Reader, SameSite, Writer
from app.models import Credentials, SessionInfo
from app.problems import Refusal, responses
from app.sessions import COOKIE
from app.state import Have, Parts

router = APIRouter(prefix="/api", tags=["accounts"])


@router.post(
    "/accounts",
    status_code=201,
    dependencies=[SameSite],
    responses=responses(400, 403, 409, 413, 422, 429, 503),
)
async def sign_up(
    sent: Credentials, request: Request, response: Response, have: Have
) -> SessionInfo:
    """Make an account, and log in."""
    account = await have.store.add_account(sent.name, await passwords.hashed(sent.password))
    if account is None:
        raise Refusal(409, f"the name {sent.name} is taken")
    return await _log_in(request, response, have, account, sent.name)


@router.post(
    "/session",
    status_code=201,
    dependencies=[SameSite],
    responses=responses(400, 401, 403, 413, 422, 429, 503),
)
async def log_in(
    sent: Credentials, request: Request, response: Response, have: Have
) -> SessionInfo:
    """Log in; the answer sets the cookie `session`."""
    if not await have.guesses.allowed(sent.name):
        detail = "too many wrong passwords; try again in a minute"
        raise Refusal(429, detail, {"Retry-After": "60"})
    account = await have.store.account(sent.name)
    if not await passwords.fits(account and account["password"], sent.password):
        detail = "no account has this name and password"
        raise Refusal(401, detail, {"WWW-Authenticate": 'Session realm="links"'})
    await have.guesses.right(sent.name)
    return await _log_in(request, response, have, account["id"], sent.name)


@router.get("/session", responses=responses(401, 503))
async def who(session: Reader, response: Response) -> SessionInfo:
    """Who is logged in."""
    response.headers["Cache-Control"] = "no-store"
    return SessionInfo(name=session.name, csrf=session.csrf)


@router.delete("/session", status_code=204, responses=responses(401, 403, 422, 503))
async def log_out(_: Writer, response: Response, have: Have, cookie: Cookie) -> None:
    """Log out."""
    await have.sessions.end(cookie or "")
    response.delete_cookie(COOKIE, path="/")


async def _log_in(
    request: Request,
    response: Response,
    have: Parts,
    account: int,
    name: str,
) -> SessionInfo:
    token, session = await have.sessions.start(account, name, request.cookies.get(COOKIE, ""))
    response.set_cookie(
        COOKIE,
        token,
        max_age=have.sessions.seconds,
        path="/",
        httponly=True,
        samesite="lax",
        secure=request.headers.get("x-forwarded-proto", request.url.scheme) == "https",
    )
    response.headers["Cache-Control"] = "no-store"
    return SessionInfo(name=session.name, csrf=session.csrf)
