"""Data stores that are neither PostgreSQL nor Redis: run as they are, and kept across releases.

Nothing is known of what is in them. A store is made anew when its own
definition changes, files that it is given from the repository among it; these
are copied, for a release's checkout does not last.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from msgspec.structs import replace

from geartrain.app.model import MountKind, Service
from geartrain.app.release import InstanceId, Release, definition
from geartrain.engine.docker import addresses, data, networks, project, readiness, volumes
from geartrain.engine.docker.client import docker
from geartrain.engine.docker.host import DockerHome
from geartrain.engine.docker.mounts import binds
from geartrain.engine.docker.observing import inspect
from geartrain.engine.docker.release import Releases
from geartrain.engine.protocol import Say
from geartrain.engine.values import Values
from geartrain.errors import GearError
from geartrain.render import compose, containers
from geartrain.render.compose import Bind
from geartrain.run import CommandError


def ensure(
    home: DockerHome,
    releases: Releases,
    release: Release,
    service: Service,
    source: Path,
    values: Values,
    say: Say,
) -> None:
    """Bring a store to its definition, and wait until it is ready.

    Args:
        home: the app's home.
        releases: makes what a release needs.
        release: whose definition of it counts.
        service: the store.
        source: the release's checkout.
        values: the caller's environment, and secrets.
        say: told what is interrupted.

    Raises:
        GearError: it did not get ready; its data was not touched.
    """
    one = InstanceId(service=service.name)
    name = containers.container(home.base, one)
    there = next(iter(inspect(name)), None)
    if there is None or there.labels.get(containers.DEFINITION) != definition(service):
        file = _write(home, releases, release, service, source, values)
        if there is not None:
            say(f"{service.name} is made anew: connections to it break now")
        done = project.recreate(file, [service.name], values.environ)
        if done.code:
            raise CommandError(
                done, f"{service.name} does not start", remedy="its data was not touched"
            )
    elif not there.running:
        _write(home, releases, release, service, source, values)  # what it has mounted
        docker("start", "--", name)
    within = max(data.READY_WITHIN, readiness.limit(service))
    (outcome,) = readiness.wait([readiness.Awaited(id=one, container=name, within=within)])
    if not outcome.ok:
        raise GearError(
            f"{service.name} did not get ready: {outcome.reason}",
            tail=outcome.tail,
            remedy=f"`gear logs {service.name}` shows all of it; its data was not touched",
        )


def _write(
    home: DockerHome,
    releases: Releases,
    release: Release,
    service: Service,
    source: Path,
    values: Values,
) -> Path:
    joined = data.network(home, release.app)
    if joined is None:
        raise GearError("a data store needs a network", where=f"services.{service.name}")
    # That one leads nowhere else, and nobody knows what an image needs of the world.
    outside = networks.ensure(home, containers.outside_network(home.base))
    for mount in service.mounts:
        if mount.kind is MountKind.VOLUME and mount.source:
            volumes.ensure(home, containers.volume(home.base, mount.source), mount.options)
    folder = home.data / service.name
    folder.mkdir(mode=0o755, exist_ok=True)
    private = home.private(f"data/{service.name}")
    found = binds(home, release.app, service, private, source, values.around(release))
    ids = [InstanceId(service=s.name) for s in release.app.data_services]
    around = releases.around(
        release,
        [service],
        (joined.name, outside.name),
        addresses.decide(home.data / "addresses.json", joined, ids),
        {service.name: _copied(found, source, folder / "files")},
    )
    file = private / "compose.json"
    project.write(file, compose.store_file(release, service, around))
    return file


def _copied(found: tuple[Bind, ...], source: Path, kept: Path) -> tuple[Bind, ...]:
    """Mounts, of which those from a checkout are copies."""
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(mode=0o755)
    made = []
    for number, one in enumerate(found):
        here = Path(one.source)
        if here.is_relative_to(source):
            copy = kept / str(number)
            shutil.copytree(here, copy, symlinks=True) if here.is_dir() else shutil.copy(here, copy)
            made.append(replace(one, source=str(copy)))
        else:
            made.append(one)
    return tuple(made)
