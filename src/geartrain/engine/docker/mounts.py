"""The files and folders that an instance is given, beside its volumes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from geartrain.app.model import App, MountKind, Service
from geartrain.engine import memory
from geartrain.engine.docker.host import DockerHome
from geartrain.engine.logins import read_source
from geartrain.errors import GearError
from geartrain.render.compose import Bind


def binds(
    home: DockerHome,
    app: App,
    service: Service,
    folder: Path,
    source: Path,
    environ: Mapping[str, str],
) -> tuple[Bind, ...]:
    """Write secrets and configs, find what is mounted.

    What Git tracks comes from the release's checkout; what it does not is data,
    and lives in the app's own folder.

    Args:
        home: the app's home.
        app: the release's app.
        service: whose files.
        folder: the release's folder for what has secrets in it.
        source: its checkout.
        environ: where secrets from the environment come from.
    """
    found = []
    for kind, grants, sources in (
        ("secrets", service.secrets, app.secrets),
        ("configs", service.configs, app.configs),
    ):
        for grant in grants:
            place = folder / kind
            place.mkdir(mode=0o700, exist_ok=True)
            text = read_source(sources[grant.source], grant.source, home.project, environ)
            # Nobody else here may enter the folder; in the container its user reads it.
            memory.write(place / grant.source, text, grant.mode)
            here = str(place / grant.source)
            found.append(Bind(source=here, target=grant.target, read_only=True))
    for mount in service.mounts:
        if mount.kind is not MountKind.BIND:
            continue
        tracked = source / mount.source
        place = tracked if tracked.exists() else home.untracked / mount.source
        if not place.exists():
            if mount.source.startswith("/"):
                raise GearError(
                    f"{mount.source} is not on this machine",
                    where=f"services.{service.name}.volumes",
                )
            place.mkdir(parents=True, exist_ok=True)  # whoever shares it may be quicker
        found.append(Bind(source=str(place), target=mount.target, read_only=mount.read_only))
    return tuple(found)
