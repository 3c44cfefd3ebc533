"""The `x-gear` keys: what Compose has no standard key for.

These types are the reference: the JSON Schema for editors, the documentation
and the error messages are produced from them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

AppName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Port = Annotated[int, Meta(ge=1, le=65535)]
UrlPath = Annotated[str, Meta(pattern=r"^/[A-Za-z0-9._~!&'()*+,=:@%/-]*$")]
Domain = Annotated[
    str,
    Meta(
        pattern=r"^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
    ),
]
Duration = Annotated[str, Meta(pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$")]
Rate = Annotated[str, Meta(pattern=r"^[1-9][0-9]*/[sm]$")]
Size = Annotated[str, Meta(pattern=r"^[1-9][0-9]*[kmg]?$")]


class Role(StrEnum):
    """What a service is to the system."""

    EDGE = "edge"  # the nginx that takes the public traffic
    WEB = "web"  # answers HTTP behind the edge
    WORKER = "worker"  # built, not routed
    JOB = "job"  # runs on a schedule
    DATABASE = "database"  # PostgreSQL
    CACHE = "cache"  # Redis or Valkey
    OTHER = "other"  # any other image


class Keep(StrEnum):
    """What Redis does with its keys."""

    EVICT = "evict"  # a cache: least used keys go when memory is full, nothing is written to disk
    DURABLE = "durable"  # a queue or session store: nothing is evicted, an append-only file is kept


class Route(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A URL path that the edge sends to a service."""

    path: UrlPath
    """Prefix of the URL path; the longest match wins."""
    strip: bool = False
    """Take the prefix off before the service sees the path."""
    rate_limit: Rate | None = None
    """Requests per client address, such as `10/s` or `5/m`; more get 429."""
    cache: Duration | None = None
    """Keep successful answers to GET and HEAD at the edge for this long."""


class Embedded(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the embedded engine runs a service that it cannot work out by itself."""

    command: str | list[str]
    """Command that starts the service on this machine, without Docker."""


class ServicePolicy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`x-gear` of one service."""

    role: Role | None = None
    """What the service is, where its image or its build does not tell."""
    port: Port | None = None
    """Port on which the service answers."""
    routes: list[UrlPath | Route] = []
    """URL paths that the edge sends here; default `/` for the only web service."""
    static: dict[UrlPath, str] = {}
    """URL prefix → folder of the repository that the edge serves from the release."""
    health: UrlPath | None = None
    """Path that answers 2xx or 3xx when an instance is ready for traffic."""
    release: str | list[str] | None = None
    """Command run once before each switch, as the database owner: migrations."""
    check: str | list[str] | None = None
    """Command that tests a new version against throwaway data services (`gear check`)."""
    schedule: str | None = None
    """Cron expression (five fields, UTC); makes the service a job."""
    rate_limit: Rate | None = None
    """Rate limit of every route of the service that sets none."""
    cache: Duration | None = None
    """Cache time of every route of the service that sets none."""
    keep: Keep | None = None
    """Redis only: `evict` for a cache, `durable` for what must survive a restart."""
    embedded: Embedded | None = None
    """How to run the service without Docker."""


class AppPolicy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`x-gear` at the top of the Compose file."""

    name: AppName | None = None
    """Name of the app; default Compose's project name."""
    domains: list[Domain] = []
    """Host names that the app answers to; default all."""
    hsts: Duration | None = None
    """How long browsers insist on https once they were there (HSTS); default not at all."""
    max_body: Size = "20m"
    """Largest request body that the edge accepts."""
    timeout: Duration = "60s"
    """How long the edge waits for a service's next byte."""
    drain: Duration = "10s"
    """How long open connections of the old release may go on after a switch."""


def command_words(command: str | list[str]) -> tuple[str, ...]:
    """A command as an argument list; a line of text is the shell's, as in Compose."""
    return ("/bin/sh", "-c", command) if isinstance(command, str) else tuple(command)
