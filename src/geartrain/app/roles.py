"""What each service is to the system."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from geartrain.app.finding import Finding
from geartrain.app.images import (
    CACHE_IMAGES,
    DATABASE_IMAGES,
    NGINX_IMAGES,
    STORE_IMAGES,
    answering,
    image_base,
)
from geartrain.app.model import App, Role, Service
from geartrain.app.own_nginx import own_config
from geartrain.app.ports import command_port

__all__ = ["Cast", "image_base", "role_of", "with_roles"]


@dataclass(frozen=True, slots=True)
class Cast:
    """An app whose services have their roles."""

    app: App
    findings: tuple[Finding, ...]


def with_roles(app: App) -> Cast:
    """Give every service its role. The Dockerfiles (`Service.built`) are read before."""
    services = {n: replace(s, role=role_of(s, app)) for n, s in app.services.items()}
    cast = replace(app, services=services)
    found = [
        Finding(
            ("services", s.name, "x-gear", "keep"),
            f"`keep` is for Redis, and '{s.name}' is a {s.role} service",
            "move it to the Redis service",
        )
        for s in services.values()
        if s.gear.keep is not None and s.role is not Role.CACHE
    ]
    edges = cast.of_role(Role.EDGE)
    if len(edges) < 2:
        return Cast(cast, tuple(found))
    names = ", ".join(s.name for s in edges)
    what = f"only one service can be the edge, and here are {len(edges)}: {names}"
    remedy = "say `x-gear: {role: web}` on all but one"
    return Cast(cast, (*found, Finding(("services", edges[1].name), what, remedy)))


def role_of(service: Service, app: App) -> Role:
    """What one service is, by `x-gear`, its image's name, or its build."""
    gear = service.gear
    if gear.role is not None:
        return gear.role
    if gear.schedule is not None:
        return Role.JOB
    if service.build is None:
        return _by_image(service)
    if service.one_shot:
        return Role.WORKER
    if image_base(service.built.base) in NGINX_IMAGES:
        return Role.WEB
    for images, role in ((DATABASE_IMAGES, Role.DATABASE), (CACHE_IMAGES, Role.CACHE)):
        if image_base(service.built.base) in images:
            return role
    return Role.WEB if _answers(service, app) else Role.WORKER


def _by_image(service: Service) -> Role:
    base, gear = image_base(service.image), service.gear
    if service.one_shot:
        # `postgres` and `redis` images also run one command: a dump, a script.
        return Role.OTHER
    if base in DATABASE_IMAGES:
        return Role.DATABASE
    if base in CACHE_IMAGES:
        return Role.CACHE
    if base in NGINX_IMAGES:
        return Role.WEB if own_config(service) else Role.EDGE
    if gear.routes or gear.health or gear.static:
        return Role.WEB
    # Compose publishes the port, so the edge does; what speaks no HTTP stays inside.
    return Role.WEB if answering(service.ports) and base not in STORE_IMAGES else Role.OTHER


def _answers(service: Service, app: App) -> bool:
    """True when a built service takes requests."""
    gear = service.gear
    if service.one_shot:
        return False
    if gear.port or gear.routes or gear.health or gear.static or answering(service.ports):
        return True
    if service.ports or service.expose:
        return bool(service.expose)
    built = [s for s in app.services.values() if s.build and _runs(s)]
    if built == [service]:
        return True
    own = (service.entrypoint or ()) + (service.command or ())
    if own:
        return command_port(own) is not None
    image = service.built
    return bool(image.ports) or command_port(image.entrypoint + image.command) is not None


def _runs(service: Service) -> bool:
    return not service.one_shot and service.gear.schedule is None and service.gear.role is None
