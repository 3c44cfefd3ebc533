"""What each app takes of an edge that several share, and what no two of them may both have.

A claim is all that the edge's configuration is written from: any generation can
be written whole from the claims of its apps, without their releases.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from geartrain.app.routes import Location, Site, main_site
from geartrain.render.nginx.tls import PORT

FORMAT = 1  # raised when something else is written from claims than before: converge writes it
LEAST = 1  # the format of claims that can be written anew; those before it stay as they are
EVERY = "_"  # the name under which a server answers what nobody claims


class Claim(Struct, frozen=True, kw_only=True):
    """What an app takes of the edge. `drain` is in seconds, `listen` by the site's port.

    `tls` are the addresses of https, `certificates` what is served there: domain → fingerprint.
    """

    app: str
    release: int
    format: int = 0
    domains: tuple[str, ...] = ()
    listen: dict[int, tuple[str, ...]] = {}
    servers: tuple[str, ...] = ()  # `address:port` of every instance
    drain: float = 10.0
    tls: tuple[str, ...] = ()
    certificates: dict[str, str] = {}
    sites: tuple[Site, ...] = ()
    backends: dict[str, tuple[str, ...]] = {}  # `Location.upstream` → `address:port` of instances
    root: str = "/"  # its static folders lie below
    max_body: str = "20m"
    timeout: float = 60.0
    hsts: int | None = None
    tls_port: int = PORT  # by which callers reach https

    @property
    def whole(self) -> bool:
        """Whether its part of the configuration can be written from it."""
        return self.format >= LEAST


class Place(Struct, frozen=True, kw_only=True):
    """What one app answers under one name at one address of http or https."""

    claim: Claim
    site: Site
    address: str
    name: str
    tls: bool = False


def places(claim: Claim) -> Iterator[Place]:
    """Everything that an app answers, http before https."""
    for site in claim.sites:
        for address in claim.listen.get(site.port, ()):
            for name in site.domains or (EVERY,):
                yield Place(claim=claim, site=site, address=address, name=name)
    if (main := main_site(claim.sites)) is not None:
        for address in claim.tls:
            for name in claim.certificates:
                yield Place(claim=claim, site=main, address=address, name=name, tls=True)


def shared(claims: Sequence[Claim]) -> dict[str, frozenset[str]]:
    """App → the names that it answers together with others, at one address or more."""
    apps: dict[tuple[str, str], set[str]] = {}
    for claim in claims:
        for place in places(claim):
            apps.setdefault((place.address, place.name), set()).add(claim.app)
    found: dict[str, set[str]] = {}
    for (_, name), several in apps.items():
        for app in several if len(several) > 1 else ():
            found.setdefault(app, set()).add(name)
    return {app: frozenset(names) for app, names in found.items()}


def conflict(mine: Claim, others: Sequence[Claim]) -> str:
    """Why an app cannot have what it claims, or ""."""
    for other in others:
        if other.app == mine.app:
            continue
        if mixed := sorted((_open(mine) & {*other.tls}) | ({*mine.tls} & _open(other))):
            port = mixed[0].rpartition(":")[2]
            return f"port {port} is claimed by {mine.app} and by {other.app}, for http and https"
        here, there = _paths(mine), _paths(other)
        for address, name in sorted(here.keys() & there.keys(), key=lambda one: one[::-1]):
            both = same_path(here[address, name], there[address, name])
            if both is None:
                continue
            where = f", with the path {both}" if both else ""
            if name != EVERY:
                return f"the domain {name} is claimed by {mine.app} and by {other.app}{where}"
            port = address.rpartition(":")[2]
            return (
                f"port {port} is claimed by {mine.app} and by {other.app}, for every host"
                f" name{where}"
            )
    return ""


def same_path(mine: Sequence[Location], others: Sequence[Location]) -> str | None:
    """The path of two apps' locations that both have; without any, an app has all: then ""."""
    if not mine or not others:
        return ""
    taken = {one.path.rstrip("/") for one in others}
    return next((one.path for one in mine if one.path.rstrip("/") in taken), None)


def agree(other: Claim, mine: Claim) -> Claim:
    """Another app's claim, with the certificates that one which is newer has for their domains.

    A domain has one certificate, whoever of its apps was released when it came.
    """
    both = {*mine.domains} & {*other.domains}
    main = main_site(other.sites)
    if not both or main is None or not other.whole:
        return other
    chosen = {**other.certificates, **mine.certificates}
    kept = {
        name: chosen[name]
        for name in other.domains
        if name in (mine.certificates if name in both else other.certificates)
    }
    port = mine.tls_port
    return replace(
        other,
        certificates=kept,
        tls=secure(other.listen[main.port], port) if kept else (),
        tls_port=port,
    )


def secure(addresses: Sequence[str], port: int) -> tuple[str, ...]:
    """Where https is listened on for a site that listens on these addresses."""
    return tuple(f"{address.rpartition(':')[0]}:{port}" for address in addresses)


def _open(claim: Claim) -> set[str]:
    """The addresses of http."""
    return {address for group in claim.listen.values() for address in group}


def _paths(claim: Claim) -> dict[tuple[str, str], tuple[Location, ...]]:
    """By address and name, the locations of an app; none where it has all that is asked there."""
    found: dict[tuple[str, str], tuple[Location, ...]] = {}
    if not claim.sites:
        names = claim.domains or (EVERY,)
        found = {(address, name): () for address in _open(claim) | {*claim.tls} for name in names}
    for place in places(claim):
        key = (place.address, place.name)
        found[key] = (*found.get(key, ()), *place.site.locations)
    return found
