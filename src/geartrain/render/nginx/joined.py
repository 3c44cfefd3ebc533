"""Servers of the names that several apps answer together, each at paths of its own.

nginx has one server for a name at an address. So one is written with the
locations of all its apps, and the longest path wins between them as it does
within one app. What an app asks for holds for its own locations alone; how long
browsers insist on https is the name's, and the longest that any of them asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from geartrain.app.routes import Site, main_site
from geartrain.render.nginx.binding import Binding
from geartrain.render.nginx.claims import EVERY, Claim, Place, places
from geartrain.render.nginx.locations import Own, elsewhere
from geartrain.render.nginx.sites import bodies
from geartrain.render.nginx.tls import (
    Served,
    Tls,
    challenges,
    covered,
    identity,
    insist,
    listens,
    redirect,
    secure_url,
)
from geartrain.render.nginx.words import block

Locations = Callable[[Claim, Site], list[list[str]]]


class _Server(Struct, frozen=True):
    """Where a server listens, and whose locations it has."""

    tls: bool
    addresses: tuple[str, ...]
    owners: tuple[tuple[str, int], ...]  # app and port of its site, in the apps' order
    marks: tuple[str, ...]  # by owner, the certificate that the names have, or ""
    default: bool


def joined_file(
    claims: Sequence[Claim],
    names: Mapping[str, frozenset[str]],
    binding: Binding,
    served: Mapping[str, Served],
    own: Callable[[Claim], Own],
) -> str:
    """The file of these servers, or "" where no app shares a name.

    Args:
        claims: what each app takes.
        names: app → those of its names that are written here, of `claims.shared`.
        binding: the host's folders.
        served: mark → the certificate.
        own: what holds for an app's locations alone.

    Raises:
        InvalidError: a name or path cannot be written in nginx's language.
    """
    if not names:
        return ""
    by_app = {claim.app: claim for claim in claims}
    written: dict[str, dict[int, list[list[str]]]] = {}

    def locations(claim: Claim, site: Site) -> list[list[str]]:
        if claim.app not in written:
            here = replace(
                binding, listen=claim.listen, servers=claim.backends, root=claim.root
            )  # fmt: skip
            written[claim.app] = bodies(claim.sites, here, own(claim), f"{claim.app}.")
        return written[claim.app][site.port]

    parts = [["# Written by Geartrain for the names that several apps answer, each at its paths."]]
    for server, answers in _servers(claims, names).items():
        owners = [
            (by_app[app], next(site for site in by_app[app].sites if site.port == port))
            for app, port in server.owners
        ]
        parts.append(_server(server, owners, " ".join(answers), binding, served, locations))
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _servers(
    claims: Sequence[Claim], names: Mapping[str, frozenset[str]]
) -> dict[_Server, list[str]]:
    """Which names are answered alike."""
    here: dict[tuple[str, bool, str], list[Place]] = {}
    for claim in sorted(claims, key=lambda one: one.app):
        for place in places(claim):
            if place.name in names.get(claim.app, ()):
                here.setdefault((place.name, place.tls, place.address), []).append(place)
    alike: dict[tuple[str, bool, tuple[tuple[str, int], ...]], list[Place]] = {}
    for (name, tls, _), several in here.items():
        owners = tuple((one.claim.app, one.site.port) for one in several)
        alike.setdefault((name, tls, owners), []).append(several[0])
    found: dict[_Server, list[str]] = {}
    for (name, tls, owners), first in alike.items():
        address = first[0].address
        server = _Server(
            tls=tls,
            addresses=tuple(one.address for one in first),
            owners=owners,
            marks=tuple(_mark(one) for one in here[name, tls, address]),
            default=name == EVERY,
        )
        found.setdefault(server, []).append(name)
    return found


def _mark(place: Place) -> str:
    secured = place.site == main_site(place.claim.sites)
    return place.claim.certificates.get(place.name, "") if secured else ""


def _server(
    server: _Server,
    owners: Sequence[tuple[Claim, Site]],
    names: str,
    binding: Binding,
    served: Mapping[str, Served],
    locations: Locations,
) -> list[str]:
    hsts = max((claim.hsts for claim, _ in owners if claim.hsts is not None), default=None)
    tls = Tls(site=0, listen=server.addresses, port=owners[0][0].tls_port, hsts=hsts)
    asked: list[str] = []
    if any(site.domains and site == main_site(claim.sites) for claim, site in owners):
        asked = challenges(binding.challenges) if binding.challenges else []
    if not server.tls and all(server.marks):
        return redirect(server.addresses, names, tls, asked)
    body = []
    for (claim, site), mark in zip(owners, server.marks, strict=True):
        if mark and not server.tls:
            where = secure_url(tls)
            mine = [one for place in site.locations for one in elsewhere(place, where)]
        else:
            mine = locations(claim, site)
        said = f"# {claim.app}, release {claim.release}."
        body += [[said, *mine[0]], *mine[1:]] if mine else []
    if all(one.path != "/" for _, site in owners for one in site.locations):
        body.append(["location / { return 404; }"])
    plain = ['set $forwarded_prefix "";']
    if server.tls:
        one = served[server.marks[0]]
        shown = [*listens(server.addresses), f"server_name {names};", *identity(one)]
        return block("server", shown, [*plain, *covered(one), *insist(tls)], *body)
    mark = " default_server" if server.default else ""
    shown = [*(f"listen {address}{mark};" for address in server.addresses),
             f"server_name {names};"]  # fmt: skip
    return block("server", shown, plain, asked, *body)
