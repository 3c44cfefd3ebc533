"""The texts in which an app's own nginx says on which ports it calls other services."""

from __future__ import annotations

from pathlib import Path

from geartrain.app.images import NGINX_IMAGES, image_base
from geartrain.app.model import App, MountKind, Service
from geartrain.errors import InvalidError
from geartrain.load.nginx_sources import read_sources


def nginx_texts(app: App, root: Path) -> list[str]:
    """The configuration files of every nginx service; none of one that cannot be read.

    Args:
        app: the decoded app, with its Dockerfiles read.
        root: the project folder.
    """
    found = []
    for service in app.services.values():
        if image_base(service.built.base or service.image) not in NGINX_IMAGES:
            continue
        try:
            files = read_sources(_given(service, root), root)
        except (InvalidError, OSError):
            continue  # the engine that runs it says what is wrong with it
        found += [file.text for file in files.values()]
    return found


def _given(service: Service, root: Path) -> list[tuple[str, Path]]:
    context = root / (service.build.context if service.build else ".")
    copied = [(target, context / source) for source, target in service.built.copies]
    mounted = [
        (mount.target, root / mount.source)
        for mount in service.mounts
        if mount.kind is MountKind.BIND and not mount.source.startswith("/")
    ]
    return [(target, path) for target, path in (*copied, *mounted) if path.exists()]
