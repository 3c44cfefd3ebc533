"""The sites of one app within nginx's `http`: its groups, zones and servers.

Sources: nginx.org's module reference.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from msgspec import Struct

from geartrain.app.routes import Location, Site, main_site
from geartrain.errors import InvalidError
from geartrain.render.nginx.binding import Binding
from geartrain.render.nginx.locations import Own, locations, strip_map
from geartrain.render.nginx.servers import server_words
from geartrain.render.nginx.tls import (
    Tls,
    challenges,
    covered,
    identity,
    insist,
    redirect,
    strangers,
    tls_settings,
)
from geartrain.render.nginx.tls import listens as tls_listens
from geartrain.render.nginx.words import block


class _Names(Struct, frozen=True):
    """What upstream groups and rate limits' zones are called, by service and by route."""

    groups: dict[str, str]
    zones: dict[tuple[int, str], str]


def app_parts(
    sites: tuple[Site, ...],
    binding: Binding,
    *,
    tls: Tls | None = None,
    own: Sequence[str] = (),
    prefix: str = "",
    alone: bool = True,
    without: Collection[str] = (),
) -> list[list[str]]:
    """Write what stands within `http` for one app: zones, maps, upstreams, servers.

    Args:
        sites: what it answers on.
        binding: where it runs on this host.
        tls: the site that is served over TLS, and its certificates.
        own: first lines of each of its servers.
        prefix: begins the names of its zones and upstream groups.
        alone: no other app answers on its ports, so it also refuses strange host names.
        without: server names that are written elsewhere.

    Raises:
        InvalidError: a name or path cannot be written in nginx's language.
    """
    asked = [location for site in sites for location in site.locations]
    names = _names(sites, prefix)
    return [
        [f"limit_req_zone $binary_remote_addr zone={zone}:2m rate={rate};"
         for zone, rate in ((z, _rate(sites, k)) for k, z in names.zones.items())],
        tls_settings(hybrid=binding.hybrid) if tls and alone else [],
        *(strip_map(path) for path in dict.fromkeys(one.path for one in asked if one.strip)),
        *(upstream(group, binding.servers.get(n, ())) for n, group in names.groups.items()),
        *(
            part
            for site in sites
            for part in _servers(
                site, binding, tls if tls and tls.site == site.port else None, names, own,
                asked=_asked(sites, site, binding), alone=alone, without=without,
            )
        ),
    ]  # fmt: skip


def bodies(
    sites: tuple[Site, ...], binding: Binding, own: Own, prefix: str
) -> dict[int, list[list[str]]]:
    """The locations of one app by their site's port, for servers that are other apps' too.

    Args:
        sites: what it answers on.
        binding: where it runs on this host.
        own: what holds for them alone.
        prefix: begins the names of its zones and upstream groups.
    """
    names = _names(sites, prefix)
    return {site.port: _locations(site, binding, names, own) for site in sites}


def upstream(group: str, servers: tuple[str, ...]) -> list[str]:
    """Write the group of a service's live instances."""
    if not servers:
        return block(f"upstream {group}", ["server 127.0.0.1:9 down;  # no instance is ready"])
    several = len(servers) > 1
    return block(
        f"upstream {group}",
        [
            f"zone {group} 64k;",
            *(["least_conn;"] if several else []),
            *(f"server {words};" for words in server_words(servers)),
            "keepalive 128;",
            "# Shorter than gunicorn's 2 s and uvicorn's 5 s: no request meets a closed one.",
            "keepalive_timeout 1s;",
            "keepalive_requests 10000;",
        ],
    )


def stranger(listens: Sequence[str], own: Sequence[str] = ()) -> list[str]:
    """Write the server for requests under a host name that nobody claims."""
    return block(
        "server",
        [
            "# Requests for any other host name.",
            *(f"listen {address} default_server;" for address in listens),
            "server_name _;",
            *own,
            "return 421;",
        ],
    )


def _servers(
    site: Site, binding: Binding, tls: Tls | None, names: _Names, own: Sequence[str], *,
    asked: list[str], alone: bool, without: Collection[str],
) -> list[list[str]]:  # fmt: skip
    listens = binding.listen.get(site.port, ())
    if not listens:
        raise InvalidError(f"port {site.port} has no address to listen on")
    body = _locations(site, binding, names)
    if all(one.path != "/" for one in site.locations):
        body.append(["location / { return 404; }"])
    every = (*site.domains, *binding.names) if site.domains else ("_",)
    servers = []
    secured: set[str] = {*without}
    if tls is not None:
        for one in tls.served:
            answers = [name for name in one.names or every if name not in without]
            if not answers:
                continue
            secured |= {*answers}
            names_here = " ".join(answers)
            servers.append(redirect(listens, names_here, tls, asked))
            shown = [*tls_listens(tls.listen), f"server_name {names_here};", *identity(one)]
            servers.append(block("server", shown, [*own, *covered(one), *insist(tls)], *body))
    if left := [name for name in every if name not in secured]:
        mark = "" if alone or site.domains else " default_server"
        shown = [*(f"listen {address}{mark};" for address in listens),
                 f"server_name {' '.join(left)};"]  # fmt: skip
        servers.append(block("server", shown, list(own), asked, *body))
    if not site.domains or not alone:
        return servers
    return [stranger(listens), *([strangers(tls.listen)] if tls else []), *servers]


def _asked(sites: tuple[Site, ...], site: Site, binding: Binding) -> list[str]:
    """Where certificates are proven for: on the site that a domain means without a port."""
    if not site.domains or not binding.challenges or site != main_site(sites):
        return []
    return challenges(binding.challenges)


def _locations(
    site: Site, binding: Binding, names: _Names, own: Own | None = None
) -> list[list[str]]:
    return [
        written
        for location in site.locations
        for written in locations(
            location,
            names.groups.get(location.upstream or "", ""),
            names.zones.get((site.port, location.path), ""),
            binding.root,
            own,
        )
    ]


def _names(sites: tuple[Site, ...], prefix: str) -> _Names:
    asked = [location for site in sites for location in site.locations]
    return _Names(_groups(asked, prefix), _zones(sites, prefix))


def _groups(asked: list[Location], prefix: str) -> dict[str, str]:
    """Name an upstream group for each service; nginx ignores case in these names."""
    groups: dict[str, str] = {}
    for name in dict.fromkeys(one.upstream for one in asked if one.upstream is not None):
        plain = prefix + re.sub(r"[^a-z0-9._-]", "-", name.lower())
        group, count = plain, 1
        while group in groups.values():
            count += 1
            group = f"{plain}-{count}"
        groups[name] = group
    return groups


def _zones(sites: tuple[Site, ...], prefix: str) -> dict[tuple[int, str], str]:
    """Name a rate limit's zone for each route, so that one route's requests spare another's."""
    zones: dict[tuple[int, str], str] = {}
    for site in sites:
        for one in site.locations:
            if one.rate_limit is None:
                continue
            # Upstream groups have zones too; the slash of the path keeps the names apart.
            plain = prefix + re.sub(r"[^a-z0-9/._-]", "-", f"{one.upstream}{one.path}".lower())
            name, count = plain, 1
            while name in zones.values():
                count += 1
                name = f"{plain}-{count}"
            zones[site.port, one.path] = name
    return zones


def _rate(sites: tuple[Site, ...], key: tuple[int, str]) -> str:
    port, path = key
    rate = next(
        one.rate_limit for site in sites if site.port == port
        for one in site.locations if one.path == path
    )  # fmt: skip
    count, unit = (rate or "").split("/")
    return f"{count}r/{unit}"
