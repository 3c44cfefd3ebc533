"""Which release to go back to, and what speaks against it."""

from __future__ import annotations

from collections.abc import Sequence

from geartrain.app.release import Release
from geartrain.errors import GearError
from geartrain.release.events import GOT_LIVE, Event
from geartrain.release.history import Desired
from geartrain.release.ledger import Ledger


def choose(ledger: Ledger, desired: Desired, number: int | None) -> Release:
    """The release to go back to.

    Args:
        ledger: the app's history and kept releases.
        desired: the desired state.
        number: the release that somebody named; None for the one that was live before.

    Raises:
        GearError: there is none, or it is not kept any more.
    """
    if desired.live is None:
        raise GearError("no release is live yet", remedy="git push")
    if number is None:
        number = previous(ledger.events(), desired.live)
        if number is None:
            raise GearError(f"no release was live before release {desired.live}")
    if number == desired.live:
        raise GearError(f"release {number} is live already")
    release = ledger.read(number)
    if release is None:
        kept = [str(n) for n in range(1, desired.last + 1) if ledger.read(n)]
        raise GearError(
            f"release {number} is not kept",
            remedy=f"kept are {', '.join(kept)}; an older one: push its commit again",
        )
    return release


def previous(events: Sequence[Event], live: int) -> int | None:
    """The release that was live before this one, or None."""
    for one in events:
        if one.what in GOT_LIVE and one.release != live:
            return one.release
    return None


def migrations_since(events: Sequence[Event], number: int) -> tuple[str, ...]:
    """Release commands that ran since a release was live for the last time, oldest first.

    Those of releases that failed afterwards count too: they ran.
    """
    found = []
    for one in events:
        if one.what in GOT_LIVE and one.release == number:
            break
        found += [f"release {one.release} ({service})" for service in one.migrated]
    return tuple(reversed(found))
