"""Stops everything of a host before the machine goes down; no history says anything of it."""

from __future__ import annotations

from geartrain.server.app import ServerApp
from geartrain.server.host import EngineKind, ServerHost


def halt(host: ServerHost) -> str:
    """Stop what runs, in order. `gear converge --all` starts it again.

    Args:
        host: the host.

    Returns:
        How much there was, in words.

    Raises:
        GearError: the engine does not answer, or something did not end.
    """
    if host.facts.engine is EngineKind.DOCKER:
        from geartrain.engine.docker import halting
        from geartrain.engine.docker.host import DockerHost

        return _counted(halting.halt(DockerHost(host.folder)), "container")
    apps = [ServerApp(host, name) for name in host.names()]
    return _counted(sum(app.engine(app.home()).down() for app in apps), "app")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
