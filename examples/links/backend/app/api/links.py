"""An account's links and what is counted of them."""

from __future__ import annotations

from typing import Annotated

import asyncpg
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import HttpUrl

from app import models
from app.api.guard import Reader, Writer
from app.models import Link, LinkChange, NewLink, Page, Statistics
from app.problems import Refusal, responses
from app.state import Have

LARGEST_ID = 2**63 - 1
PORTS = {"http": 80, "https": 443}

router = APIRouter(prefix="/api/links", tags=["links"])
Slug = Annotated[str, Path(pattern=models.SLUG)]


@router.post("", status_code=201, responses=responses(400, 401, 403, 409, 413, 422, 503))
async def create(
    sent: NewLink, request: Request, response: Response, have: Have, session: Writer
) -> Link:
    """Make a link."""
    _elsewhere(sent.url, request)
    row = await have.store.add_link(session.account, str(sent.url), sent.slug)
    if row is None:
        raise Refusal(409, f"the slug {sent.slug} is taken")
    await have.targets.forget(row["slug"])  # that no link had it may be remembered
    response.headers["Location"] = f"/api/links/{row['slug']}"
    return _link(row)


@router.get("", responses=responses(401, 422, 503))
async def index(
    have: Have,
    session: Reader,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{11}$")] = None,
) -> Page:
    """The account's links, newest first."""
    try:
        before = models.below(cursor) if cursor else LARGEST_ID
    except ValueError as error:
        raise Refusal(422, "cursor: as given in `next` of the page before") from error
    rows = await have.store.links(session.account, before, limit + 1)
    shown = rows[:limit]
    following = models.cursor(shown[-1]["id"]) if len(rows) > limit else None
    return Page(links=[_link(row) for row in shown], next=following)


@router.get("/{slug}", responses=responses(401, 404, 422, 503))
async def show(slug: Slug, have: Have, session: Reader) -> Link:
    """One link."""
    return _link(_found(await have.store.link(session.account, slug)))


@router.patch("/{slug}", responses=responses(400, 401, 403, 404, 413, 422, 503))
async def change(
    slug: Slug, sent: LinkChange, request: Request, have: Have, session: Writer
) -> Link:
    """Have a link lead elsewhere."""
    _elsewhere(sent.url, request)
    row = _found(await have.store.change_link(session.account, slug, str(sent.url)))
    await have.targets.forget(slug)
    return _link(row)


@router.delete("/{slug}", status_code=204, responses=responses(401, 403, 404, 422, 503))
async def delete(slug: Slug, have: Have, session: Writer) -> None:
    """Delete a link with all that was counted of it."""
    if not await have.store.delete_link(session.account, slug):
        raise Refusal(404, "there is no such link")
    await have.targets.forget(slug)


@router.get("/{slug}/statistics", responses=responses(401, 404, 422, 503))
async def statistics(slug: Slug, have: Have, session: Reader) -> Statistics:
    """Clicks of one link, in all and by day."""
    row = _found(await have.store.link(session.account, slug))
    days = await have.store.days(row["id"])
    return Statistics(slug=slug, clicks=row["clicks"], days=[models.Day(**day) for day in days])


def _found(row: asyncpg.Record | None) -> asyncpg.Record:
    if row is None:
        raise Refusal(404, "there is no such link")
    return row


def _link(row: asyncpg.Record) -> Link:
    return Link(
        slug=row["slug"], url=row["url"], clicks=row["clicks"], created_at=row["created_at"]
    )


def _elsewhere(url: HttpUrl, request: Request) -> None:
    """Refuse a link to this very service: visitors would be sent round in circles."""
    host, _, port = request.headers.get("host", "").lower().partition(":")
    scheme = request.headers.get("x-forwarded-proto", request.url.scheme)
    here = (host.rstrip("."), int(port) if port.isdigit() else PORTS.get(scheme))
    if (str(url.host).lower().rstrip("."), url.port) == here:
        raise Refusal(422, "url: a link cannot lead to this service itself")
