"""Commands that run once in a service's place: release commands, and people's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from geartrain.app.model import Service
from geartrain.app.release import InstanceId, Release
from geartrain.engine.docker import observing, project, readiness
from geartrain.engine.docker.client import docker
from geartrain.engine.docker.host import DockerHome
from geartrain.engine.protocol import Outcome
from geartrain.errors import GearError
from geartrain.render import containers

AT_MOST = 3600.0  # seconds


def run(
    home: DockerHome, release: Release, service: Service, file: Path, environ: Mapping[str, str]
) -> Outcome:
    """Run it to its end.

    Args:
        home: the app's home.
        release: whose code it is.
        service: in whose place it runs.
        file: the Compose file with it as the only service.
        environ: the caller's environment.
    """
    one = InstanceId(service=service.name, release=release.number, index=0)
    name = containers.container(home.base, one)
    try:
        done = project.up(file, [f"{service.name}-0"], environ)
        found = next(iter(observing.inspect(name)), None)
        if found is None:
            raise GearError(
                "Docker did not start the command", where=one.name, tail=done.err.splitlines()[-10:]
            )
        docker("wait", "--", found.id, timeout=AT_MOST)
        found = next(iter(observing.inspect(name)), found)
        ok = found.state.code == 0 and not found.state.error
        reason = "" if ok else observing.ended_with(found)
        return Outcome(id=one, ok=ok, reason=reason, tail=readiness.tail(found))
    finally:
        docker("rm", "--force", "--volumes", "--", name, check=False)
        file.unlink(missing_ok=True)


def of_people(home: DockerHome) -> tuple[observing.Container, ...]:
    """The containers of `gear run`; one is left only where its `gear` was killed."""
    mine = {containers.HOST: home.host.facts.id, containers.COMMAND: home.name}
    return observing.labelled(mine)


def remove(found: Sequence[observing.Container]) -> None:
    """End commands that run, at once."""
    if found:
        docker("rm", "--force", "--volumes", "--", *(one.id for one in found), check=False)
