"""What went wrong while nobody looked, told by the next command of anyone."""

from __future__ import annotations

import sys

from geartrain.cli.output import note, paint
from geartrain.cli.place import Place

BY_ITSELF = "monitor"


def tell(found: Place) -> None:
    """Say that the last thing that happened was trouble after a switch."""
    if found.app is None:
        return
    from geartrain.release.events import What

    events = found.ledger().events()
    last = events[0] if events else None
    if last is None or last.via != BY_ITSELF or last.what not in (What.ROLLED_BACK, What.TROUBLE):
        return
    mark = paint("!", "red", sys.stderr, bold=True)
    note(f"{mark} {found.name}: {last.title} at {last.at}: {last.why}")
