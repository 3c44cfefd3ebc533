"""Apps in the shapes that the renderers meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from geartrain.app.model import App, Mount, MountKind, PublishedPort, Role, Service
from geartrain.app.policy import AppPolicy, ServicePolicy

Golden = Callable[[str, Mapping[str, tuple[int, str]]], None]


def edge(port: int = 80, *mounts: Mount, **gear: object) -> Service:
    return Service(
        name="nginx",
        role=Role.EDGE,
        image="nginx:latest",
        ports=(PublishedPort(target=80, published=port),),
        mounts=mounts,
        gear=ServicePolicy(**gear),  # type: ignore[arg-type]
    )


def web(name: str = "web", *published: int, port: int = 8000, **gear: object) -> Service:
    return Service(
        name=name,
        role=Role.WEB,
        port=port,
        ports=tuple(PublishedPort(target=port, published=number) for number in published),
        gear=ServicePolicy(**gear),  # type: ignore[arg-type]
    )


def html(source: str, below: str = "") -> Mount:
    return Mount(kind=MountKind.BIND, source=source, target=f"/usr/share/nginx/html{below}")


def app(*services: Service, **policy: object) -> App:
    return App(
        name="shop",
        services={service.name: service for service in services},
        policy=AppPolicy(**policy),  # type: ignore[arg-type]
    )
