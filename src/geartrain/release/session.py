"""A release that is wanted, what runs now, and the steps between them, put together once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from geartrain.app.release import Release, scaled
from geartrain.engine.protocol import Engine, Observed
from geartrain.release.history import Desired
from geartrain.release.ledger import Ledger
from geartrain.release.plan import plan
from geartrain.release.steps import Step


@dataclass(frozen=True, kw_only=True)
class Session:
    """Everything that a release needs.

    `chosen` is the release as it is kept, `release` the same with as many
    copies as somebody asked for; `before` is the live release.
    """

    engine: Engine
    ledger: Ledger
    desired: Desired
    chosen: Release
    release: Release
    before: Release | None
    observed: Observed
    steps: tuple[Step, ...]
    notices: tuple[str, ...]

    @property
    def new(self) -> bool:
        """The release is another one than the live one."""
        return self.release.number != self.desired.live


def prepare(
    release: Release,
    engine: Engine,
    ledger: Ledger,
    desired: Desired,
    *,
    notices: Sequence[str] = (),
    forward: bool = True,
    tested: bool = False,
) -> Session:
    """See what runs, and plan. The caller holds the app's lock.

    Args:
        release: what should be live; the number of copies is the desired state's.
        engine: what runs it.
        ledger: its history.
        desired: the desired state as it was read last, or as it will be.
        notices: what its user should know, besides what the engine says.
        forward: run release commands; a rollback runs none.
        tested: run its check commands first.

    Raises:
        GearError: the engine cannot run it; nothing was changed.
    """
    wanted = scaled(release, desired.replicas)
    said = (*notices, *engine.check(wanted))
    observed = engine.observe()
    if release.number != desired.live:
        observed = engine.exclusive(observed)
    before = ledger.read(desired.live)
    return Session(
        engine=engine,
        ledger=ledger,
        desired=desired,
        chosen=release,
        release=wanted,
        before=scaled(before, desired.replicas) if before else None,
        observed=observed,
        steps=plan(wanted, desired.live, observed, forward=forward, tested=tested),
        notices=said,
    )
