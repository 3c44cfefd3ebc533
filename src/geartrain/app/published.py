"""The ports that Compose publishes on the host, and what becomes of each of them.

The edge listens there and proxies HTTP. What speaks something else is reached
inside the app alone, and the user is told.
"""

from __future__ import annotations

from geartrain.app.images import NGINX_IMAGES, NOT_HTTP, image_base
from geartrain.app.model import App, PublishedPort, Role, Service
from geartrain.app.own_nginx import own_config

TLS_PORT = 443


def published(service: Service) -> tuple[PublishedPort, ...]:
    """The ports that a service has on the host, without what nginx does not serve (yet)."""
    return tuple(
        p for p in service.ports
        if p.protocol == "tcp" and p.published is not None and p.published != TLS_PORT
        and speaks_http(service, p)
    )  # fmt: skip


def speaks_http(service: Service, port: PublishedPort) -> bool:
    """False for a port whose usual protocol nginx cannot proxy, unless `x-gear.port` says so."""
    return port.target not in NOT_HTTP or port.target == service.gear.port


def numbers(ports: list[PublishedPort]) -> tuple[int, ...]:
    """Their numbers on the host, each once."""
    return tuple(dict.fromkeys(p.published for p in ports if p.published is not None))


def _beside_own_edge(app: App) -> tuple[tuple[Service, PublishedPort], ...]:
    """Ports of web services that nobody answers: an edge with a configuration of its own is all
    that listens, and listens on its own ports alone."""
    edges = app.of_role(Role.EDGE)
    if not any(own_config(edge) for edge in edges):
        return ()
    served = numbers([p for edge in edges for p in published(edge)])
    webs = app.of_role(Role.WEB)
    return tuple((w, p) for w in webs for p in published(w) if p.published not in served)


def notices(app: App) -> tuple[str, ...]:
    """What a reader of the Compose file should know about its ports and routes."""
    said = []
    webs, edges = app.of_role(Role.WEB), app.of_role(Role.EDGE)
    tools = [w for w in webs if published(w)]
    beside = (
        bool(tools)
        and not edges
        and not any(w.build or image_base(w.image) in NGINX_IMAGES for w in tools)
    )
    aside = beside or any(w.gear.routes for w in webs)
    for service in (*edges, *webs):
        for port in service.ports:
            if port.protocol != "tcp":
                said.append(
                    f"{service.name}: port {port.published or port.target}/{port.protocol}"
                    " is left out, only TCP is served"
                )
            elif port.published == TLS_PORT:
                said.append(f"{service.name}: port 443 is Geartrain's own: see docs/tls.md")
            elif not speaks_http(service, port):
                protocol = NOT_HTTP[port.target]
                said.append(
                    f"{service.name}: port {port.published or port.target} is left out,"
                    f" {protocol} is not HTTP; the app itself reaches {service.name}:{port.target}"
                )
        quiet = aside and not service.gear.routes and not published(service)
        if service.role is Role.WEB and quiet:
            said.append(f"{service.name}: has no routes, so it is reached only inside the app")
    said += [
        f"{web.name}: port {port.published} is left out, the edge's own configuration answers all;"
        f" publish it at {edges[0].name} and listen on it there"
        for web, port in _beside_own_edge(app)
    ]
    for service in app.of_role(Role.OTHER, Role.WORKER):
        if service.ports:
            targets = ", ".join(str(port.target) for port in service.ports)
            said.append(
                f"{service.name}: its ports are not published, as they speak no HTTP;"
                f" the app itself reaches {service.name}:{targets}"
            )
    return tuple(said)
