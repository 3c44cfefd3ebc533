"""What a service stands on, running for the time of one command: the app itself is not up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from geartrain.app.model import App, Service
from geartrain.app.release import Release
from geartrain.cli.progress import Progress
from geartrain.engine.embedded.supervisor.client import ensure
from geartrain.engine.home import Home
from geartrain.engine.protocol import Engine
from geartrain.release.apply import apply
from geartrain.release.plan import plan
from geartrain.release.steps import Build, EnsureData, Start, Step


@contextmanager
def borrowed(home: Home, engine: Engine, release: Release, service: Service) -> Iterator[None]:
    """Have run what a service stands on, and nothing afterwards, however this process ends.

    Args:
        home: the app's home; the caller holds its lock, and no supervisor runs there.
        engine: the embedded engine.
        release: the service's release.
        service: the service, which is not started itself.

    Raises:
        GearError: something of it did not get ready; nothing runs.
    """
    with ensure(home.run, home.logs) as owner:
        owner.lease()
        try:
            everything = plan(release, release.number, engine.observe())
            steps = only(everything, below(release.app, service))
            apply(steps, release, release, engine, lambda _: None, Progress())
            yield
        finally:
            engine.down()


def below(app: App, service: Service) -> frozenset[str]:
    """Names of what runs before a service does: all data services, and what it depends on."""
    found: set[str] = {one.name for one in app.data_services}
    left = [service]
    while left:
        names = {one.service for one in left.pop().depends_on} - found - {service.name}
        found |= names
        left += [app.services[name] for name in names if name in app.services]
    return frozenset(found)


def only(steps: tuple[Step, ...], services: frozenset[str]) -> tuple[Step, ...]:
    """The steps of a plan that start these services: no requests come, nothing is recorded."""
    found: list[Step] = []
    for step in steps:
        match step:
            case Build():
                found.append(step)
            case EnsureData() if step.service in services:
                found.append(step)
            case Start():
                ids = tuple(one for one in step.ids if one.service in services)
                found += [Start(ids)] if ids else []
            case _:
                pass
    return tuple(found)
