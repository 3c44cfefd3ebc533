"""Named volumes: made once, with the options that the Compose file gives them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from geartrain.engine.docker.client import docker
from geartrain.engine.docker.host import DockerHome
from geartrain.errors import GearError


class _Volume(msgspec.Struct):
    options: dict[str, str] | None = msgspec.field(name="Options", default=None)


def ensure(home: DockerHome, name: str, options: Mapping[str, str]) -> None:
    """Make a volume that is not there.

    Args:
        home: the app whose it is.
        name: its name.
        options: its `driver_opts`.

    Raises:
        GearError: it is there with other options: Docker would go on with those, without a word.
    """
    words = [f"--label={key}={value}" for key, value in home.labels.items()]
    words += [f"--opt={key}={value}" for key, value in options.items()]
    docker("volume", "create", *words, "--", name)
    if not options:
        return
    said = docker("volume", "inspect", "--", name).out
    (there,) = msgspec.json.decode(said, type=list[_Volume])
    if there.options != dict(options):
        raise GearError(
            f"the volume {name} is there with other driver_opts: {_shown(there.options or {})}",
            where="volumes",
            remedy=f"give the new one another name in the Compose file, or move its data and"
            f" `docker volume rm {name}`",
        )


def _shown(options: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(options.items())) or "none"
