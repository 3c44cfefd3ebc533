"""A ledger in memory, whose writer may be killed before and after each thing it writes."""

from __future__ import annotations

from msgspec.structs import replace

from geartrain.app.model import App
from geartrain.app.release import Release
from geartrain.release.events import GOT_LIVE, Event
from geartrain.release.history import Desired
from geartrain.release.ledger import KEPT, Source
from geartrain.release.target import superfluous
from geartrain.testing import Moments
from geartrain.testing.apps import release


class MemoryLedger:
    """Keeps the contract of `Ledger` in memory."""

    def __init__(self, moments: Moments) -> None:
        self._moments = moments
        self._desired = Desired()
        self._events: list[Event] = []
        self.kept: dict[int, Release] = {}

    def desired(self) -> Desired:
        return self._desired

    def events(self) -> list[Event]:
        return self._events

    def tell(self, desired: Desired, event: Event) -> None:
        self._moments.passes()
        self._desired, self._events = desired, [event, *self._events]
        self._moments.passes()

    def read(self, number: int | None) -> Release | None:
        return self.kept.get(number) if number is not None else None

    def choose(self, app: App, source: Source, desired: Desired, summary: str) -> Release:  # noqa: ARG002  # nobody reads it
        newest = max([desired.last, *self.kept])
        made = release(newest + 1, app, source.tree)
        for number in (desired.live, newest):
            known = self.read(number)
            if known and known.fingerprint == made.fingerprint:
                return known
        return replace(made, commit=source.commit)

    def save(self, release: Release, source: Source | None) -> Release:  # noqa: ARG002  # as the contract has it
        self._moments.passes()
        kept = self.kept.setdefault(release.number, release)
        self._moments.passes()
        return kept

    def prune(self, keep: set[int | None]) -> tuple[int, ...]:
        proven = {one.release for one in self.events() if one.what in GOT_LIVE}
        gone = superfluous(self.kept, keep, proven, KEPT)
        for number in gone:
            self._moments.passes()
            del self.kept[number]
        return gone
