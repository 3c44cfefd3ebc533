"""What the release path asks of an engine, and what an engine tells it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

import msgspec
from msgspec import Struct

from geartrain.app.model import Service
from geartrain.app.release import InstanceId, Release

Say = Callable[[str], None]
"""Told what is going on, one short sentence at a time."""


class State(StrEnum):
    """What an instance is doing."""

    STARTING = "starting"
    READY = "ready"
    UNHEALTHY = "unhealthy"
    BACKOFF = "backoff"
    STOPPING = "stopping"
    EXITED = "exited"
    FAILED = "failed"
    SCHEDULED = "scheduled"


class Instance(Struct, frozen=True, kw_only=True):
    """An instance as the engine sees it now. `since` is a Unix time in seconds."""

    id: InstanceId
    role: str
    state: State
    address: str = ""
    port: int = 0
    pid: int = 0
    version: str = ""
    since: float = 0.0
    restarts: int = 0
    note: str = ""
    code: int | None = None
    definition: str = ""
    exclusive: str = ""  # why no second copy can run beside it: "it listens on 0.0.0.0:8080"

    @property
    def name(self) -> str:
        """`web.7.1`."""
        return self.id.name

    @property
    def fine(self) -> bool:
        """True when it does what it should."""
        return self.state in (State.READY, State.SCHEDULED) or (
            self.state is State.EXITED and self.code == 0
        )


def shown(one: Instance) -> dict[str, object]:
    """An instance as JSON values, flat, as `gear ps --json` prints it."""
    plain: dict[str, object] = msgspec.to_builtins(one)
    del plain["id"], plain["exclusive"]
    of = {"service": one.id.service, "release": one.id.release, "index": one.id.index}
    return {"name": one.name, **of, **plain}


class Observed(Struct, frozen=True, kw_only=True):
    """Everything that runs on a host for one app."""

    instances: tuple[Instance, ...] = ()
    routed: int | None = None  # the release that the edge sends requests to
    urls: tuple[str, ...] = ()

    def find(self, wanted: InstanceId) -> Instance | None:
        """The instance of that name, if it is known."""
        return next((i for i in self.instances if i.id == wanted), None)


class Traffic(Struct, frozen=True, kw_only=True):
    """Requests that the edge answered for a release, and how many of them with 5xx."""

    requests: int = 0
    errors: int = 0

    @property
    def share(self) -> float:
        """Errors as a part of all, from 0 to 1."""
        return self.errors / self.requests if self.requests else 0.0


class Outcome(Struct, frozen=True, kw_only=True):
    """How it went with an instance or a one-off command."""

    id: InstanceId
    ok: bool
    reason: str = ""
    tail: tuple[str, ...] = ()


class Engine(Protocol):
    """Runs instances. Every verb can be repeated without harm.

    `build` and `ensure_data` may be called at once, from several threads.
    """

    def observe(self) -> Observed:
        """Read what runs now."""
        ...

    def exclusive(self, seen: Observed) -> Observed:
        """Mark the instances beside which no second copy can run."""
        ...

    def urls(self, release: Release) -> tuple[str, ...]:
        """Where a person finds the app."""
        ...

    def check(self, release: Release) -> tuple[str, ...]:
        """Notices about what this engine does differently.

        Raises:
            GearError: it cannot run this release; nothing was changed.
        """
        ...

    def build(self, release: Release, say: Say) -> None:
        """Make everything that the release's instances are started from.

        Raises:
            GearError: a build failed.
        """
        ...

    def ensure_data(self, release: Release, service: Service, say: Say) -> None:
        """Bring a data service to its definition, and wait until it is ready.

        Raises:
            GearError: it did not get ready, or its data does not fit.
        """
        ...

    def migrate(self, release: Release, service: Service) -> Outcome:
        """Run a service's release command once, as the owner of the data."""
        ...

    def run(self, release: Release, service: Service, argv: tuple[str, ...]) -> Outcome:
        """Run a command once in a service's place, as the owner of the data."""
        ...

    def start(self, release: Release, ids: Sequence[InstanceId]) -> None:
        """Start instances; those that run already are left alone."""
        ...

    def ready(self, ids: Sequence[InstanceId]) -> tuple[Outcome, ...]:
        """Wait, bounded, until each is ready or one has failed."""
        ...

    def switch(self, release: Release) -> None:
        """Send requests to this release's instances, confirmed by the edge itself.

        Raises:
            GearError: the edge refused; requests go where they went before.
        """
        ...

    def retire(self, ids: Sequence[InstanceId]) -> None:
        """Stop instances once no request can reach them any more. Does not wait."""
        ...

    def drained(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for all that retires; says whether it has stopped."""
        ...

    def stop(self, ids: Sequence[InstanceId]) -> None:
        """Stop instances now, and wait for it."""
        ...

    def traffic(self, number: int, since: float) -> Traffic:
        """What the edge answered for a release since a Unix time, as far as its log goes back."""
        ...

    def down(self) -> bool:
        """Stop everything, data services last; says whether anything ran."""
        ...

    def erase(self) -> None:
        """Delete the app's data, after `down`. What Geartrain did not make stays."""
        ...

    def sweep(self) -> None:
        """Remove what was made for releases that are gone."""
        ...
