"""Image names as people write them (OCI distribution specification, "Pulling manifests")."""

from __future__ import annotations

import re
from dataclasses import dataclass

_VERSION = re.compile(r"v?(\d+(?:\.\d+)*)")
DOCKER_HUB = "docker.io"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """`python:3.12-slim` in its parts: `docker.io`, `library/python`, `3.12-slim`."""

    registry: str
    path: str
    tag: str
    digest: str = ""

    @property
    def familiar(self) -> str:
        """As people write it: without the hub's own host and `library/`."""
        path = self.path
        if self.registry == DOCKER_HUB:
            path = path.removeprefix("library/")
        else:
            path = f"{self.registry}/{path}"
        return f"{path}:{self.tag}" if self.tag else path

    @property
    def version(self) -> tuple[int, ...]:
        """The numbers that the tag starts with: (3, 12); () for `latest` and the like."""
        found = _VERSION.match(self.tag)
        return tuple(int(part) for part in found[1].split(".")) if found else ()

    @property
    def words(self) -> tuple[str, ...]:
        """The tag's parts without the version: `slim`, `bookworm`, `alpine3.20`."""
        return tuple(w for w in self.tag.split("-") if w and not _VERSION.fullmatch(w))


def parse(name: str) -> Reference:
    """Read an image name; without tag and digest it is `latest`."""
    rest, _, digest = name.partition("@")
    first, slash, below = rest.partition("/")
    # A first part with a dot, a port, or of this name is a host; all else is a path on the hub.
    hosted = bool(slash) and ("." in first or ":" in first or first == "localhost")
    registry, path = (first, below) if hosted else (DOCKER_HUB, rest)
    if registry in ("index.docker.io", "registry-1.docker.io"):
        registry = DOCKER_HUB
    head, colon, tag = path.rpartition(":")
    if colon and "/" not in tag:
        path = head
    else:
        tag = "" if digest else "latest"
    if registry == DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    return Reference(registry=registry, path=path, tag=tag, digest=digest)
