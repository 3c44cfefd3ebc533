"""The sites of one app within nginx's `http`: its groups, zones and servers.

Sources: nginx.org's module reference.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from geartrain.app.routes import Location, Site
from geartrain.errors import InvalidError
from geartrain.render.nginx.binding import Binding
from geartrain.render.nginx.locations import locations, strip_map
from geartrain.render.nginx.servers import server_words
from geartrain.render.nginx.tls import Tls, redirect, strangers, tls_settings
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
) -> list[list[str]]:
    """Write what stands within `http` for one app: zones, maps, upstreams, servers.

    Args:
        sites: what it answers on.
        binding: where it runs on this host.
        tls: the site that is served over TLS, and its certificate.
        own: first lines of each of its servers.
        prefix: begins the names of its zones and upstream groups.
        alone: no other app answers on its ports, so it also refuses strange host names.

    Raises:
        InvalidError: a name or path cannot be written in nginx's language.
    """
    asked = [location for site in sites for location in site.locations]
    names = _Names(_groups(asked, prefix), _zones(sites, prefix))
    return [
        [f"limit_req_zone $binary_remote_addr zone={zone}:2m rate={rate};"
         for zone, rate in ((z, _rate(sites, k)) for k, z in names.zones.items())],
        tls_settings(tls) if tls else [],
        *(strip_map(path) for path in dict.fromkeys(one.path for one in asked if one.strip)),
        *(upstream(group, binding.servers.get(n, ())) for n, group in names.groups.items()),
        *(
            part
            for site in sites
            for part in _servers(site, binding, _tls(site, tls), names, own, alone=alone)
        ),
    ]  # fmt: skip


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
    site: Site, binding: Binding, tls: Tls | None, names: _Names, own: Sequence[str], *, alone: bool
) -> list[list[str]]:
    listens = binding.listen.get(site.port, ())
    if not listens:
        raise InvalidError(f"port {site.port} has no address to listen on")
    answers = " ".join((*site.domains, *binding.names) if site.domains else ("_",))
    mark = "" if alone or site.domains else " default_server"
    open_listens = [f"listen {address}{mark};" for address in listens]
    body = [
        written
        for location in site.locations
        for written in locations(
            location,
            names.groups.get(location.upstream or "", ""),
            names.zones.get((site.port, location.path), ""),
            binding.root,
        )
    ]
    if all(one.path != "/" for one in site.locations):
        body.append(["location / { return 404; }"])
    server = block(
        "server",
        [*(tls_listens(tls) if tls else open_listens), f"server_name {answers};"],
        list(own),
        *body,
    )
    servers = [redirect(listens, answers, tls), server] if tls else [server]
    if not site.domains or not alone:
        return servers
    return [stranger(listens), *([strangers(tls)] if tls else []), *servers]


def _tls(site: Site, tls: Tls | None) -> Tls | None:
    return tls if tls and tls.site == site.port else None


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
