"""Where a release runs on one host: all that the edge's text needs beside the app."""

from __future__ import annotations

import re

from msgspec import Struct

from geartrain.errors import InvalidError

ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.*-]+):[0-9]{1,5}")
_GENERATION = re.compile(r"[A-Za-z0-9._-]{1,128}")


class Binding(Struct, frozen=True, kw_only=True):
    """A release's addresses and folders on a host.

    Raises:
        InvalidError: an address or the generation is not one.
    """

    listen: dict[int, tuple[str, ...]]
    """Site's port → addresses to listen on, such as `127.0.0.1:8080`."""
    servers: dict[str, tuple[str, ...]]
    """`Location.upstream` (a service) → `address:port` of its live instances."""
    root: str
    """Absolute folder of the release's checkout; static folders lie below it."""
    folder: str
    """nginx's own absolute folder, which exists: pid, temporary files, cache, access log."""
    admin: str
    """Private `address:port` that answers `/generation` and `/health`."""
    generation: str
    """Name of this configuration, told by the admin address and in the access log."""
    user: str | None = None
    """User of the workers; only for an nginx that root starts."""
    access_log: str | None = None
    """Absolute path of the access log; default `access.log` in `folder`."""
    error_log: str = "stderr"
    names: tuple[str, ...] = ()
    """Host names answered beside the app's domains, such as `localhost` on a laptop."""
    challenges: str = ""
    """Absolute folder of the answers to a certificate authority's questions, if any are given."""
    hybrid: bool = True
    """Whether this nginx can be offered a key exchange that it may not know (`tls.OPTIONAL`)."""
    keepalive_min: float = 2.5
    """Seconds for which idle connections of an old worker go on after a reload.

    It must be longer than clients pause between two requests on a connection:
    those that pause longer may lose the one that is on its way when theirs is
    closed. Longer drains longer, but only while such clients are there
    (`docs/benchmarks.md` has the measurements).
    """

    def __post_init__(self) -> None:
        addresses = [a for group in (self.listen, self.servers) for v in group.values() for a in v]
        for address in (*addresses, self.admin):
            if not ADDRESS.fullmatch(address):
                raise InvalidError(f"{address!r} is not an address:port")
        if not _GENERATION.fullmatch(self.generation):
            raise InvalidError(f"{self.generation!r} is not a generation")
