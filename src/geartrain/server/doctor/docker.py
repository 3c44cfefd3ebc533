"""The Docker of a host: whether it answers, and whether it leaves containers alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from geartrain.engine.docker import api, edge, publishing, space
from geartrain.engine.docker.host import DockerHost
from geartrain.engine.listeners import holder
from geartrain.errors import GearError
from geartrain.server.doctor.finding import Finding

HTTP = 80


class _Info(msgspec.Struct):
    version: str = msgspec.field(name="ServerVersion", default="")
    live_restore: bool = msgspec.field(name="LiveRestoreEnabled", default=False)
    warnings: tuple[str, ...] | None = msgspec.field(name="Warnings", default=())


def daemon() -> Iterator[Finding]:
    """Whether a daemon answers, and what it says of itself."""
    try:
        info = api.get(_Info, "info")
    except GearError as error:
        yield Finding(what=error.what, ok=False, remedy=error.remedy)
        return
    if info is None:
        yield Finding(what="Docker does not say what it is", ok=False, remedy="docker info")
        return
    yield Finding(what=f"Docker {info.version}")
    yield Finding(
        what="containers outlive a restart of Docker"
        if info.live_restore
        else "a restart of Docker stops all containers, and then starts them again",
        ok=info.live_restore,
        remedy='"live-restore": true in /etc/docker/daemon.json, and systemctl reload docker',
    )


def folders() -> dict[str, Path]:
    """Where it keeps volumes and images; nothing when it does not say, or on another machine."""
    try:
        found = space.folders()
    except GearError:
        return {}
    names = ("Docker", "its images")
    return {name: Path(folder) for name, folder in zip(names, found, strict=False)}


def ports(host: DockerHost) -> Iterator[Finding]:
    """Who holds the ports of http and https."""
    own = publishing.master(host)
    claimed = edge.claims(host).values()
    known = {address for one in claimed for each in one.listen.values() for address in each}
    known |= {address for one in claimed for address in one.tls}
    for port in (host.port(HTTP), host.certificates.settings().port):
        who = holder(publishing.ANY, port)
        ours = any(address.endswith(f":{port}") for address in known)
        if who is None:
            yield Finding(
                what=f"port {port} is free" if not ours else f"nobody listens on port {port}",
                ok=not ours,
                remedy="gear converge --all",
            )
        elif own and publishing.is_edges(host, who, own, f"{publishing.ANY}:{port}"):
            yield Finding(what=f"port {port} is the edge's")
        else:
            yield Finding(
                what=f"port {port} is held by {who}",
                ok=False,
                remedy="stop that program; nginx is to answer there",
            )
