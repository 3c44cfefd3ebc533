"""What clients send and get."""

from __future__ import annotations

import base64
from datetime import date, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, StringConstraints

SLUG = r"^[A-Za-z0-9_-]{3,32}$"
Slug = Annotated[str, StringConstraints(pattern=SLUG)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{1,31}$")]
Password = Annotated[str, StringConstraints(min_length=10, max_length=128)]
Url = Annotated[HttpUrl, Field(max_length=2048)]


class Sent(BaseModel):
    """What a client sends: nothing beside the known keys."""

    model_config = ConfigDict(extra="forbid")


def _plain(url: HttpUrl) -> HttpUrl:
    if url.username or url.password:
        raise ValueError("an address with a name or password in it is refused")
    if len(str(url)) > 2048:
        raise ValueError("the address is over 2048 characters once it is written out")
    return url


class Credentials(Sent):
    """Who wants to log in, or to have an account."""

    name: Name
    password: Password


class NewLink(Sent):
    """A link to make; without a slug it gets a random one."""

    url: Annotated[Url, AfterValidator(_plain)]
    slug: Slug | None = None


class LinkChange(Sent):
    """What can be changed of a link."""

    url: Annotated[Url, AfterValidator(_plain)]


class SessionInfo(BaseModel):
    """Who is logged in; `csrf` goes into the header `X-CSRF-Token` of each change."""

    name: str
    csrf: str


class Link(BaseModel):
    """A short link."""

    slug: str
    url: str
    clicks: int
    created_at: datetime


class Page(BaseModel):
    """Links, newest first; `next` is the cursor of the next page, if there is one."""

    links: list[Link]
    next: str | None


class Day(BaseModel):
    """Clicks of one day (UTC)."""

    day: date
    clicks: int


class Statistics(BaseModel):
    """All clicks of a link, and those of the last 30 days that had any."""

    slug: str
    clicks: int
    days: list[Day]


def cursor(number: int) -> str:
    """The cursor that goes on below an id."""
    return base64.urlsafe_b64encode(number.to_bytes(8)).decode().rstrip("=")


def below(text: str) -> int:
    """The id that a cursor stands for.

    Raises:
        ValueError: it was not made here.
    """
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    number = int.from_bytes(raw)
    if len(raw) != 8 or not 0 < number < 2**63 or cursor(number) != text:
        raise ValueError("not a cursor")
    return number
