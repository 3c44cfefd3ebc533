"""Stops everything of a host before the machine goes down; no history says anything of it.

A mark stands from then on until everything is to run again: the watcher lets things be meanwhile.
"""

from __future__ import annotations

from pathlib import Path

from geartrain import durable
from geartrain.server.host import EngineKind, ServerHost

MARK = "halted"


def halted(host: Path) -> bool:
    """Whether everything of a host was stopped; `host` is its folder."""
    return (host / MARK).exists()


def last(host: Path) -> int | None:
    """When everything of a host was stopped, in nanoseconds of Unix time; None when it may run."""
    try:
        return (host / MARK).stat().st_mtime_ns
    except FileNotFoundError:
        return None


def resume(host: ServerHost) -> None:
    """Have everything run again that should."""
    (host.folder / MARK).unlink(missing_ok=True)


def halt(host: ServerHost) -> str:
    """Stop what runs, in order. `gear converge --all` starts it again.

    Args:
        host: the host.

    Returns:
        How much there was, in words.

    Raises:
        GearError: the engine does not answer, or something did not end.
    """
    durable.write(host.folder / MARK, "")
    if host.facts.engine is EngineKind.DOCKER:
        from geartrain.engine.docker import halting
        from geartrain.engine.docker.host import DockerHost

        return _counted(halting.halt(DockerHost(host.folder)), "container")
    from geartrain.server.app import ServerApp

    apps = [ServerApp(host, name) for name in host.names()]
    return _counted(sum(app.engine(app.home()).down() for app in apps), "app")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
