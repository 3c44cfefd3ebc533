"""Data stores that Geartrain does not know by name, or knows no more than that: MySQL, a broker.

One that was started anew with every release would break every connection to it
each time, so it outlives releases, as PostgreSQL and Redis do. What calls the
services of a release (a monitor, a proxy) cannot: it would call the old ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from geartrain.app.images import STORE_IMAGES, image_base
from geartrain.app.model import App, MountKind, Role, Service


def lasting(app: App, texts: Mapping[str, str]) -> tuple[str, ...]:
    """The services that hold data and call no other one, by name.

    Args:
        app: the app.
        texts: by service, the text of the files that it is given from the repository.
    """
    likely = [s for s in app.services.values() if _holds_data(s)]
    replaced = [s for s in app.services.values() if s.stateless and s not in likely]
    return tuple(s.name for s in likely if not _calls(s, replaced, texts.get(s.name, "")))


def _holds_data(service: Service) -> bool:
    if service.role is not Role.OTHER or service.build or service.one_shot:
        return False
    if service.replicas != 1 or service.rest.get("network_mode"):
        return False
    return _known(service) or any(
        mount.kind is MountKind.VOLUME and mount.source and not mount.read_only
        for mount in service.mounts
    )


def _known(service: Service) -> bool:
    return image_base(service.image) in STORE_IMAGES


def _calls(service: Service, others: list[Service], text: str) -> bool:
    """Whether it needs one of some services: it says so, or has an address of it."""
    if {one.service for one in service.depends_on} & {other.name for other in others}:
        return True
    if _known(service) or not others:
        return False  # there `app` is a database's name, or a user's
    names = "|".join(re.escape(n) for other in others for n in (other.name, *other.aliases))
    address = re.compile(rf"(?://|@)(?:{names})\b|(?<![\w.-])(?:{names}):\d")
    own = (*service.environment.values(), *(service.command or ()), *(service.entrypoint or ()))
    return any(address.search(said) for said in (*own, text))
