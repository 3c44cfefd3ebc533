"""How a host's containers are: read from Docker, and asked at their own addresses."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from geartrain.app.model import RestartPolicy, Service
from geartrain.app.release import InstanceId
from geartrain.engine import nginx
from geartrain.engine.descent import children, state
from geartrain.engine.docker import api, client, observing, probing
from geartrain.engine.docker.host import DockerHost
from geartrain.engine.docker.observing import Container
from geartrain.render import containers
from geartrain.server.watch.judge import Found, Rule

Seen = dict[tuple[str, InstanceId], Container]
"""By app ("" for the edge) and instance."""

STOPPED = "T"  # proc(5): by a signal, not by a debugger


class _Listed(msgspec.Struct):
    id: str = msgspec.field(name="Id")
    state: str = msgspec.field(name="State", default="")
    status: str = msgspec.field(name="Status", default="")  # with the health in brackets


class Eyes:
    """Reads a host's containers, and each again only when something of it has changed.

    Args:
        host: the host.
    """

    def __init__(self, host: DockerHost) -> None:
        self.labels = {containers.HOST: host.facts.id}
        self._known: dict[str, tuple[str, Container]] = {}

    def look(self, changed: frozenset[str]) -> Seen:
        """The containers as they are.

        Args:
            changed: ids of those to which something happened.

        Raises:
            GearError: no daemon answers.
        """
        chosen = containers.filters(self.labels)
        listed = api.get(list[_Listed], "containers", "json", all="1", filters=chosen)
        known = {}
        for one in listed or ():
            mark = f"{one.state} {one.status.partition('(')[2]}"
            before = self._known.get(one.id)
            if before and before[0] == mark and one.id not in changed and _same(before[1]):
                known[one.id] = before
            elif found := observing.inspect(one.id):
                known[one.id] = (mark, found[0])
        self._known = known
        return {
            (one.labels.get(containers.APP, ""), who): one
            for _, one in known.values()
            if (who := one.instance) is not None
        }


def _same(one: Container) -> bool:
    return not one.running or not _is_here() or Path(f"/proc/{one.state.pid}").exists()


def _is_here() -> bool:
    """Whether the daemon is this machine's: only then its pids mean something."""
    return client.endpoint().startswith(api.UNIX)


def at_rest(one: Container | None, service: Service) -> tuple[Found, str] | None:
    """How an instance is that does not run; None for one that has to be asked."""
    if one is None:
        return Found.GONE, "its container was gone"
    match one.state.status:
        case "running":
            return None
        case "restarting" | "paused":  # Docker is at it; somebody wants it so
            return Found.STARTING, ""
        case "created" if one.probe == "schedule":
            return Found.WELL, ""
        case "exited" if one.probe in ("schedule", "exit"):
            return Found.WELL, ""
        case _ if not service.store and service.restart.policy is not RestartPolicy.ALWAYS:
            return Found.WELL, ""  # as its author wants it
        case _:
            ended = one.state.status in ("exited", "dead")
            why = observing.ended_with(one) if ended else "did not start"
            return Found.GONE, f"it {why}, and Docker did not start it again"


def ask(one: Container, how: Rule) -> tuple[Found, str]:
    """Ask an instance that runs; takes up to `how.within` seconds."""
    if is_stopped(one):
        return Found.WRONG, "its process is stopped (SIGSTOP)"
    if one.probe == "command":
        health = one.state.health.status if one.state.health else ""
        if health == "unhealthy":
            return Found.SICK, "its healthcheck says unhealthy"
        return Found.STARTING if health == "starting" else Found.WELL, ""
    trouble = probing.attempt(one.probe, one.address, how.within)
    if probing.starts(trouble):
        return Found.STARTING, ""
    return (Found.WRONG, trouble) if trouble else (Found.WELL, "")


def ask_edge(one: Container, host: DockerHost) -> tuple[Found, str]:
    """Ask the edge for the generation that it serves."""
    if is_stopped(one) or any(state(pid) == STOPPED for pid in children(one.state.pid)):
        return Found.WRONG, "a process of it is stopped (SIGSTOP)"
    if nginx.generation(host.facts.admin):
        return Found.WELL, ""
    return Found.WRONG, f"nothing answers at {host.facts.admin}"


def edge_at_rest(one: Container | None) -> tuple[Found, str] | None:
    """How an edge is that does not run."""
    if one is None:
        return Found.GONE, "its container was gone"
    if one.running:
        return None
    if one.state.status in ("restarting", "paused"):
        return Found.STARTING, ""
    return Found.GONE, f"it {observing.ended_with(one)}, and Docker did not start it again"


def is_stopped(one: Container) -> bool:
    """Whether a signal has stopped its first process, which the kernel knows best."""
    return _is_here() and state(one.state.pid) == STOPPED


def age(one: Container) -> float:
    """For how many seconds it runs."""
    return max(0.0, time.time() - one.started)
