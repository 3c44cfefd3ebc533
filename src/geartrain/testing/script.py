"""What a test says about how an engine's parts behave."""

from __future__ import annotations

from typing import TypeVar, cast

from geartrain.app.release import InstanceId
from geartrain.engine.protocol import Traffic
from geartrain.testing.behaviour import Behaviour, Exits, Healthy

T = TypeVar("T")


class Script:
    """How services, builds, migrations, data services and the edge behave.

    Each may be said for one release or, with `release=None`, for all of them;
    the first wins. What nothing is said about works.
    """

    def __init__(self) -> None:
        self._said: dict[tuple[str, str, int | None], object] = {}

    def copy(self) -> Script:
        """Another script that says the same."""
        other = Script()
        other._said = dict(self._said)
        return other

    def behave(self, service: str, how: Behaviour, *, release: int | None = None) -> None:
        """A service's instances behave so."""
        self._said["service", service, release] = how

    def fail_build(self, reason: str, *, release: int | None = None) -> None:
        """Building fails; "" for works again."""
        self._said["build", "", release] = reason

    def fail_migration(self, service: str, how: Exits, *, release: int | None = None) -> None:
        """A service's release command ends so; `Exits(code=0)` for works again."""
        self._said["migration", service, release] = how

    def fail_data(self, service: str, reason: str, *, release: int | None = None) -> None:
        """A data service does not get ready as a release defines it; "" for works again."""
        self._said["data", service, release] = reason

    def refuse_switch(self, complaint: str, *, release: int | None = None) -> None:
        """The edge refuses a release's configuration; "" for takes it again."""
        self._said["switch", "", release] = complaint

    def answer(self, traffic: Traffic, *, release: int | None = None) -> None:
        """The edge has answered so much for a release."""
        self._said["traffic", "", release] = traffic

    def of_traffic(self, release: int) -> Traffic:
        """What the edge has answered."""
        return self._get("traffic", "", release, Traffic())

    def of_instance(self, one: InstanceId) -> Behaviour:
        """How an instance behaves."""
        return self._get("service", one.service, one.release, Healthy())

    def of_build(self, release: int) -> str:
        """Why a release cannot be built, or ""."""
        return self._get("build", "", release, "")

    def of_migration(self, service: str, release: int) -> Exits:
        """How a release command ends."""
        return self._get("migration", service, release, Exits(code=0))

    def of_data(self, service: str, release: int) -> str:
        """Why a data service does not get ready, or ""."""
        return self._get("data", service, release, "")

    def of_switch(self, release: int) -> str:
        """What the edge says against a release, or ""."""
        return self._get("switch", "", release, "")

    def _get(self, kind: str, name: str, release: int | None, usual: T) -> T:
        usually = self._said.get((kind, name, None), usual)
        return cast("T", self._said.get((kind, name, release), usually))
