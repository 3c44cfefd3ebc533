"""What went wrong while nobody looked, told by the next command of anyone."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from geartrain.cli.output import note, paint
from geartrain.cli.place import Place

if TYPE_CHECKING:
    from geartrain.server.app import ServerApp

BY_ITSELF = "monitor"
LINES = 10


def tell(found: Place) -> None:
    """Say that a certificate ends, or that the last thing that happened was trouble."""
    if found.app is not None:
        _certificates(found.app)
    elif not (found.home.folder / "monitor.lock").exists():
        return  # nothing was ever watched, and nothing more is to be loaded
    from geartrain.release.events import What

    events = found.ledger().events()
    last = next((one for one in events if one.what is not What.RESTARTED), None)
    if last is None or last.via != BY_ITSELF or last.what not in (What.ROLLED_BACK, What.TROUBLE):
        return
    mark = paint("!", "red", sys.stderr, bold=True)
    note(f"{mark} {found.name}: {last.title} at {last.at}: {last.why}")
    number = last.before if last.what is What.ROLLED_BACK else last.release
    if found.app is None and number is not None:
        from geartrain.cli.logs import said_by

        for line in said_by(found.home.logs, number)[-LINES:]:
            note(f"    {line}")


def _certificates(app: ServerApp) -> None:
    """Say which of the certificates that the app needs end soon, or are not to be had."""
    if not (app.host.certificates.folder / "lock").exists():
        return  # there was never one, and nothing more is to be loaded
    from geartrain.server.renewal import troubles

    mark = paint("!", "red", sys.stderr, bold=True)
    for one in troubles(app, time.time()):
        note(f"{mark} {one}")
