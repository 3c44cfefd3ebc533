"""What an app's own nginx configuration meets on a host: files, names, addresses."""

from __future__ import annotations

from msgspec import Struct

from geartrain.app.config_file import ConfigFile
from geartrain.errors import InvalidError, Problem
from geartrain.render.files import Tree
from geartrain.render.nginx.binding import ADDRESS
from geartrain.render.nginx.conf import Directive, Line, Place
from geartrain.render.nginx.words import word


class Mapping(Struct, frozen=True, kw_only=True):
    """How a container's paths, names and ports are called on this host."""

    sources: dict[str, ConfigFile]
    """Container path (`/etc/nginx/conf.d/default.conf`) → the file that is mounted there."""
    servers: dict[str, tuple[str, ...]]
    """Name of a service, or `name:port` where a port differs → `address:port` of instances."""
    listen: dict[int, tuple[str, ...]]
    """Port in the container → addresses to listen on instead."""
    home: str
    """Absolute folder that the rendered tree is written to."""
    folder: str
    """nginx's own absolute folder, which exists: pid, temporary files, caches, logs."""
    mounts: tuple[tuple[str, str], ...] = ()
    """Container path → absolute path on the host; the longest wins."""
    environment: dict[str, str] = {}
    """Variables that fill `/etc/nginx/templates/*.template`."""
    admin: str = ""
    """For an edge: private `address:port` that answers `/generation` and `/health`."""
    generation: str = ""
    drain: float = 10.0
    """Seconds for which old workers go on after a reload."""
    keepalive_min: float = 2.5
    user: str | None = None
    access_log: str | None = None
    error_log: str = "stderr"
    resolvers: tuple[str, ...] = ()
    """DNS servers that stand in for Docker's own, for names outside the app."""

    def __post_init__(self) -> None:
        for path in (self.home, self.folder, *(source for _, source in self.mounts)):
            word(path, "folder")  # raises for what would be read as a variable
        addresses = [a for group in (self.servers, self.listen) for v in group.values() for a in v]
        for address in (*addresses, *([self.admin] if self.admin else [])):
            if not ADDRESS.fullmatch(address):
                raise InvalidError(f"{address!r} is not an address:port")


class Adapted(Struct, frozen=True, kw_only=True):
    """A configuration that runs on this host and means what its author wrote."""

    files: Tree
    listens: tuple[str, ...]
    """Addresses that it listens on."""
    notices: tuple[str, ...]
    lines: tuple[Place | None, ...]
    """Line of the written `nginx.conf` (from 0) → where its author wrote it."""


class Findings:
    """Collects what is wrong and what was changed, each once."""

    def __init__(self) -> None:
        self.problems: dict[Problem, None] = {}
        self.notices: dict[str, None] = {}

    def wrong(self, one: Directive, what: str, remedy: str = "") -> None:
        """Note what cannot run."""
        self.problems[Problem(what=what, where=str(one.place or ""), remedy=remedy)] = None

    def changed(self, one: Directive, what: str) -> None:
        """Note what runs differently than its author may expect."""
        self.notices[f"{one.place}: {what}"] = None


def lines_of(lines: list[Line]) -> tuple[str, tuple[Place | None, ...]]:
    """Put lines together to a text and its map."""
    return "".join(f"{line.text}\n" for line in lines), tuple(line.place for line in lines)
