"""Data services: containers of the app's stable project, which outlive releases."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from geartrain.app.credentials import Logins
from geartrain.app.model import App, MountKind, Role, Service
from geartrain.app.release import InstanceId, definition
from geartrain.engine.docker import (
    addresses,
    api,
    imagery,
    networks,
    postgres,
    probing,
    project,
    readiness,
    redis,
    unsettled,
    volumes,
)
from geartrain.engine.docker.client import docker
from geartrain.engine.docker.host import DockerHome
from geartrain.engine.docker.observing import inspect
from geartrain.engine.protocol import Say
from geartrain.errors import GearError
from geartrain.render import compose, containers, datastore
from geartrain.run import CommandError

READY_WITHIN = 90.0  # a first start makes the database, one after a crash reads the log again
OFFICIAL = ("postgres", "redis", "valkey")  # known to run without writing beside their mounts


def network(home: DockerHome, app: App) -> networks.Network | None:
    """The network of an app's data services, made when it is not there."""
    if not app.data_services:
        return None
    services = app.data_services
    name = containers.data_network(home.base)
    return networks.ensure(home, name, room=len(services), internal=True)


def ensure(
    home: DockerHome,
    app: App,
    service: Service,
    image: str,
    logins: Logins,
    source: Path,
    environ: Mapping[str, str],
    say: Say,
) -> None:
    """Bring a data service to its definition, and wait until it is ready.

    Args:
        home: the app's home.
        app: the app.
        service: the service.
        image: its image's local name.
        logins: all logins.
        source: the release's checkout, for what is mounted from it.
        environ: the caller's environment.
        say: told what takes time, and what is interrupted.

    Raises:
        GearError: it did not get ready, or its data does not fit; what ran goes on.
    """
    one = InstanceId(service=service.name)
    name = containers.container(home.base, one)
    there = next(iter(inspect(name)), None)
    changed = there is not None and there.labels.get(containers.DEFINITION) != definition(service)
    new = False
    if there is None or changed:
        new = _make(home, app, service, image, logins, source, environ, say, again=changed)
    elif not there.running:
        docker("start", "--", name)
    if service.role is Role.DATABASE:
        new = unsettled.begin(home, service.name, new=new)
    awaited = readiness.Awaited(id=one, container=name, within=READY_WITHIN)
    (outcome,) = readiness.wait([awaited])
    if not outcome.ok:
        raise GearError(
            f"{service.name} did not get ready: {outcome.reason}",
            tail=outcome.tail,
            remedy=f"`gear logs {service.name}` shows all of it; its data was not touched",
        )
    if service.role is Role.DATABASE:
        known = logins.databases[service.name]
        postgres.settle(home, name, app, service, known, new=new)
        unsettled.end(home, service.name)


def names(home: DockerHome, app: App, joined: networks.Network) -> dict[str, str]:
    """The names of databases and caches, and their addresses, which stay.

    Args:
        home: the app's home.
        app: the app.
        joined: the network that they are on.
    """
    given = _addresses(home, app, joined)
    return {
        name: given[InstanceId(service=service.name)]
        for service in app.of_role(Role.DATABASE, Role.CACHE)
        for name in (service.name, *service.aliases)
    }


def _addresses(home: DockerHome, app: App, joined: networks.Network) -> dict[InstanceId, str]:
    ids = [InstanceId(service=s.name) for s in app.data_services]
    return addresses.decide(home.data / "addresses.json", joined, ids)


def _make(
    home: DockerHome,
    app: App,
    service: Service,
    image: str,
    logins: Logins,
    source: Path,
    environ: Mapping[str, str],
    say: Say,
    *,
    again: bool,
) -> bool:
    """Make the container. Returns True when it holds no data yet."""
    facts = imagery.need(image, f"services.{service.name}.image")
    joined = network(home, app)
    if joined is None:
        raise GearError("a data service needs a network", where=f"services.{service.name}")
    place, mounted, options = _storage(home, service, facts)
    binds = _scripts(home, service, source)
    new = False
    if service.role is Role.DATABASE:
        known = logins.databases[service.name]
        new = (
            postgres.refuse_other_version(service, facts, image, place, options) if place else True
        )
        if new:
            unsettled.begin(home, service.name, new=True)
        own = postgres.definition(home, service, known, binds)
    else:
        own = redis.definition(home, service, logins.caches[service.name])
    given = _addresses(home, app, joined)
    text = _file(home, service, image, facts, own, mounted, joined.name, given)
    file = home.private(f"data/{service.name}") / "compose.json"
    project.write(file, text)
    if again:
        say(f"{service.name} is made anew: connections to it break now")
    done = project.recreate(file, [service.name], environ)
    if done.code:
        raise CommandError(
            done, f"{service.name} does not start", remedy="its data was not touched"
        )
    return new


def _file(
    home: DockerHome,
    service: Service,
    image: str,
    facts: imagery.Image,
    own: Mapping[str, Any],
    mounted: list[dict[str, Any]],
    network_name: str,
    given: Mapping[InstanceId, str],
) -> str:
    one = InstanceId(service=service.name)
    official = datastore.is_one_of(service, OFFICIAL)
    limits = service.limits
    made: dict[str, Any] = {
        "image": image,
        "pull_policy": "never",
        "container_name": containers.container(home.base, one),
        "labels": containers.labels(
            home.host.facts.id, home.name, one, service, definition(service),
            probing.label(service),
        ),
        "restart": compose.ALWAYS,
        **compose.author(
            service, compose.hardening(root=facts.facts(image).root, read_only=official)
        ),
        **{k: v for k, v in own.items() if v is not None},
        "volumes": [*mounted, *own.get("volumes", ())],
        "networks": {
            network_name: {
                "aliases": [service.name, *service.aliases],
                "ipv4_address": given[one],
            }
        },
    }  # fmt: skip
    asked = {"mem_limit": limits.memory, "cpus": limits.cpus, "pids_limit": limits.pids,
             "user": service.user}  # fmt: skip
    made |= {key: value for key, value in asked.items() if value}
    named = {m["source"]: m["source"] for m in mounted if m["type"] == "volume"}
    return compose.write(
        containers.project(home.base),
        {service.name: compose.literal(made)},
        (network_name,),
        named,
    )


def _storage(
    home: DockerHome, service: Service, facts: imagery.Image
) -> tuple[datastore.Place | None, list[dict[str, Any]], list[str]]:
    """Where its data is; the mounts in the Compose file's form and as `docker run` options."""
    database = service.role is Role.DATABASE
    folder = postgres.data_folder(service, facts) if database else redis.DATA
    if not database and not redis.keeps(service):
        return None, [{"type": "tmpfs", "target": redis.DATA}], []
    place = datastore.place(service, folder, facts.volumes)
    mount = place.mount
    if mount is not None and mount.kind is MountKind.BIND:
        here = _here(home, mount.source)
        bound = compose.bind(compose.Bind(source=str(here), target=place.target))
        return place, [bound], [f"--mount=type=bind,source={here},target={place.target},readonly"]
    name = containers.volume(home.base, place.volume or service.name)
    volumes.ensure(home, name, mount.options if mount else {})
    made = {"type": "volume", "source": name, "target": place.target}
    return place, [made], [f"--mount=type=volume,source={name},target={place.target},readonly"]


def _here(home: DockerHome, path: str) -> Path:
    """Data outlives a release's checkout, so it lives with what is not in Git."""
    here = home.untracked / path
    here.mkdir(parents=True, exist_ok=True)
    return here


def _scripts(home: DockerHome, service: Service, source: Path) -> dict[str, str]:
    """Copies of the init scripts: the container outlives the release that they come from."""
    found = {}
    kept = home.data / service.name / "initdb.d"
    shutil.rmtree(kept, ignore_errors=True)
    for number, mount in enumerate(service.mounts):
        if mount.kind is not MountKind.BIND or not mount.target.startswith(datastore.INIT_TARGET):
            continue
        tracked = source / mount.source
        here = tracked if tracked.exists() else home.untracked / mount.source
        copy = kept / str(number)
        kept.mkdir(mode=0o755, parents=True, exist_ok=True)
        if here.is_dir():
            shutil.copytree(here, copy)
        elif here.exists():
            shutil.copy(here, copy)
        else:
            raise GearError(
                f"{mount.source} is not there", where=f"services.{service.name}.volumes"
            )
        found[mount.target.rstrip("/")] = str(copy)
    return found


class _Volume(msgspec.Struct):
    name: str = msgspec.field(name="Name")


class _Volumes(msgspec.Struct):
    volumes: list[_Volume] | None = msgspec.field(name="Volumes", default=None)


def erase(home: DockerHome) -> None:
    """Delete the volumes that were made for an app."""
    found = api.get(_Volumes, "volumes", filters=containers.filters(home.labels))
    if names := [one.name for one in (found and found.volumes) or ()]:
        docker("volume", "rm", "--", *names)
    for path in home.data.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
