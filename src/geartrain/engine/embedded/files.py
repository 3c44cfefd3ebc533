"""The files that an instance is given: secrets, configs, volumes, and where each is here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from geartrain.app.model import App, MountKind, Service
from geartrain.engine import memory
from geartrain.engine.embedded.host import Host
from geartrain.engine.logins import read_source


def place_files(
    host: Host, app: App, service: Service, release: Path, environ: Mapping[str, str]
) -> dict[str, str]:
    """Write secrets and configs, make volumes.

    Args:
        host: the host.
        app: the release's app.
        service: whose files.
        release: the release's folder, with its checkout in `src/`.
        environ: where secrets from the environment come from.

    Returns:
        Path in the container → path here, for the command and the environment.
    """
    paths: dict[str, str] = {}
    for kind, grants, sources in (
        ("secrets", service.secrets, app.secrets),
        ("configs", service.configs, app.configs),
    ):
        for grant in grants:
            folder = host.private(f"releases/{release.name}") / kind
            folder.mkdir(mode=0o700, exist_ok=True)
            text = read_source(sources[grant.source], grant.source, host.project, environ)
            path = folder / grant.source
            memory.write(path, text)
            paths[grant.target] = str(path)
    for number, mount in enumerate(service.mounts):
        if mount.kind is MountKind.BIND:
            tracked = release / "src" / mount.source
            here = tracked if tracked.exists() else host.untracked / mount.source
            if not here.exists():
                here.mkdir(parents=True, exist_ok=True)  # whoever shares it may be quicker
        elif mount.kind is MountKind.VOLUME:
            here = host.data / (mount.source or f"{service.name}-{number}")
            here.mkdir(parents=True, exist_ok=True)
        else:
            here = release / "tmp" / f"{service.name}-{number}"
            here.mkdir(parents=True, exist_ok=True)
        paths[mount.target.rstrip("/")] = str(here)
    return paths
