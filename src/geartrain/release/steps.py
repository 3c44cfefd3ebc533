"""The steps of a plan: values that can be printed, compared and tested before anything is done."""

from __future__ import annotations

from msgspec import Struct

from geartrain.app.release import InstanceId


def _names(ids: tuple[InstanceId, ...]) -> str:
    return ", ".join(one.name for one in ids)


class Build(Struct, frozen=True, tag="build"):
    """Make what the release runs from."""

    release: int

    def __str__(self) -> str:
        return f"build release {self.release}"


class EnsureData(Struct, frozen=True, tag="data"):
    """Start a data service, or bring it to its new definition."""

    service: str
    interrupts: bool = False

    def __str__(self) -> str:
        if self.interrupts:
            return f"restart {self.service} with its new definition (connections break)"
        return f"start {self.service}"


class Check(Struct, frozen=True, tag="check"):
    """Run the check commands of a new version on throwaway data services."""

    services: tuple[str, ...]

    def __str__(self) -> str:
        return f"check {', '.join(self.services)} on throwaway data services"


class Migrate(Struct, frozen=True, tag="migrate"):
    """Run a service's release command, once, before the switch."""

    service: str

    def __str__(self) -> str:
        return f"run the release command of {self.service}"


class StopFirst(Struct, frozen=True, tag="stop-first"):
    """Stop old instances before their successors start: they cannot run side by side."""

    ids: tuple[InstanceId, ...]
    why: str

    def __str__(self) -> str:
        return f"stop {_names(self.ids)} first ({self.why}; requests are lost meanwhile)"


class Start(Struct, frozen=True, tag="start"):
    """Start instances and wait until they are ready."""

    ids: tuple[InstanceId, ...]

    def __str__(self) -> str:
        return f"start {_names(self.ids)}"


class Pause(Struct, frozen=True, tag="pause"):
    """Wait between two parts of a service's replicas (`update_config.delay`, in seconds)."""

    seconds: float

    def __str__(self) -> str:
        return f"wait {self.seconds:g} s (deploy.update_config.delay)"


class Switch(Struct, frozen=True, tag="switch"):
    """Send requests to the release."""

    release: int

    def __str__(self) -> str:
        return f"switch nginx to release {self.release}"


class Record(Struct, frozen=True, tag="record"):
    """Make the release the desired state: the one point at which that changes."""

    release: int

    def __str__(self) -> str:
        return f"record release {self.release} as live"


class Retire(Struct, frozen=True, tag="retire"):
    """Drain and stop instances that are not wanted any more."""

    ids: tuple[InstanceId, ...]

    def __str__(self) -> str:
        return f"drain and stop {_names(self.ids)}"


Step = Build | EnsureData | Check | Migrate | StopFirst | Pause | Start | Switch | Record | Retire
