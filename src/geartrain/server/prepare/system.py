"""Which systems can be prepared, and what their packages are called."""

from __future__ import annotations

import shlex

from msgspec import Struct

from geartrain.errors import Exit, GearError

PYTHON = ("python3", "python3-venv")
COMMON = ("ca-certificates", "git", "iptables")


class System(Struct, frozen=True, kw_only=True):
    """A distribution's release, and its packages of what Geartrain needs."""

    name: str
    python: tuple[str, ...] = PYTHON
    docker: tuple[str, ...] = ("docker.io", "docker-buildx")


SUPPORTED = {
    ("debian", "12"): System(name="Debian 12", docker=("docker.io",)),  # its client has BuildKit
    ("debian", "13"): System(name="Debian 13", docker=("docker.io", "docker-cli", "docker-buildx")),
    ("ubuntu", "22.04"): System(
        name="Ubuntu 22.04", python=("python3.11", "python3.11-venv")
    ),  # its own Python is 3.10
    ("ubuntu", "24.04"): System(name="Ubuntu 24.04"),
}


def recognize(os_release: str) -> System:
    """The system that a machine has.

    Args:
        os_release: what its /etc/os-release says (os-release(5)).

    Raises:
        GearError: it is none that can be prepared.
    """
    said = {}
    for line in os_release.splitlines():
        key, equals, value = line.partition("=")
        if equals and not key.startswith("#"):
            said[key.strip()] = " ".join(shlex.split(value))
    found = SUPPORTED.get((said.get("ID", ""), said.get("VERSION_ID", "")))
    if found is None:
        known = ", ".join(system.name for system in SUPPORTED.values())
        raise GearError(
            f"{said.get('PRETTY_NAME') or 'this system'} cannot be prepared",
            remedy=f"these can: {known}. Elsewhere `gear host init` makes a host by hand",
            code=Exit.MISSING,
        )
    return found
