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


def tell(found: Place) -> None:
    """Say that a certificate ends, or that the last thing that happened was trouble."""
    if found.app is None:
        return
    from geartrain.release.events import What

    _certificates(found.app)
    events = found.ledger().events()
    last = next((one for one in events if one.what is not What.RESTARTED), None)
    if last is None or last.via != BY_ITSELF or last.what not in (What.ROLLED_BACK, What.TROUBLE):
        return
    mark = paint("!", "red", sys.stderr, bold=True)
    note(f"{mark} {found.name}: {last.title} at {last.at}: {last.why}")


def _certificates(app: ServerApp) -> None:
    """Say which of the certificates that the app needs end soon, or are not to be had."""
    store, now = app.host.certificates, time.time()
    late = [one for one in store.every().values() if one.ends_soon(now)]
    failed = (store.folder / "tries.json").exists()
    if not late and not failed:
        return
    from geartrain.server.certificates import domains
    from geartrain.server.renewal import tries

    mark = paint("!", "red", sys.stderr, bold=True)
    mine = domains(app)
    for domain, one_try in tries(store).items():
        if domain in mine:
            note(f"{mark} no new certificate for {domain}: {one_try.why}")
    for one in {c.fingerprint: c for c in store.find(mine).values()}.values():
        if one.ends_soon(now):
            note(f"{mark} {one.warning(now)}")
