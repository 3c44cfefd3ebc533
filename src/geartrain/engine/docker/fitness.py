"""Whether this host may and can run an app, asked before anything is changed."""

from __future__ import annotations

import shutil

from geartrain.app.keys import NEVER
from geartrain.app.model import App, Role, Service
from geartrain.app.own_nginx import own_config
from geartrain.engine.docker.host import DockerHome
from geartrain.errors import GearError, InvalidError, Problem

ROOM = 256 * 2**20  # bytes: a checkout, a few layers, some log lines


def check(home: DockerHome, app: App) -> tuple[str, ...]:
    """What runs differently here than the file says.

    Raises:
        GearError: it may not or cannot run here.
    """
    if "--" in home.name:  # such as `shop--r7`, a release of the app `shop`
        raise InvalidError(
            f"{home.name!r} cannot name containers", remedy="use a name without '--'"
        )
    refuse_rights(app, home.host.allowed(home.name), home)
    for service in app.of_role(Role.EDGE):
        if own_config(service):
            raise InvalidError(
                "the edge is shared by the host's apps and cannot take a configuration of theirs",
                where=f"{app.compose_file} services.{service.name}.x-gear.role",
                remedy="leave `x-gear.role` out: it then runs as it is, behind the edge",
            )
    _need_room(home)
    return tuple(
        f"{service.name}: its ports are not published, only the app reaches it"
        " (`gear db shell` opens a session)"
        for service in app.of_role(Role.DATABASE, Role.CACHE)
        if service.ports
    )


def refuse_rights(app: App, allowed: frozenset[str], home: DockerHome) -> None:
    """Raise for every key that asks for more rights than the host's owner allows.

    Raises:
        InvalidError: with each such key.
    """
    asked = dict.fromkeys(_key(s, key) for s in app.services.values() for key in s.asks)
    never = {_key(s, key) for s in app.services.values() for key in s.asks if key in NEVER}
    problems = [
        Problem(
            what="cannot be given to an app, whoever allows it"
            if key in never
            else "asks for rights on the machine that an app does not need",
            where=f"{app.compose_file} {key}",
        )
        for key in asked
        if key not in allowed or key in never
    ]
    if problems and all(key in allowed or key in never for key in asked):
        raise InvalidError(
            "the Compose file asks for what no host gives",
            problems=problems,
            remedy="take it out",
        )
    if problems:
        keys = ", ".join(f'"{key}"' for key in asked if key not in never)
        raise InvalidError(
            "the Compose file asks for more than this host gives",
            problems=problems,
            remedy="take it out, or have the host's owner allow it in"
            f' {home.host.folder}/allow.json: {{"{home.name}": [{keys}]}}',
        )


def _key(service: Service, key: str) -> str:
    """How `allow.json` names it: what is at the top of the file belongs to no service."""
    top = key.startswith(("secrets.", "configs.", "volumes."))
    return key if top else f"services.{service.name}.{key}"


def _need_room(home: DockerHome) -> None:
    free = shutil.disk_usage(home.host.folder).free
    if free < ROOM:
        raise GearError(
            f"only {free // 2**20} MB are free, and a release needs {ROOM // 2**20} MB",
            where=str(home.host.folder),
            remedy="make room; nothing was changed",
        )
