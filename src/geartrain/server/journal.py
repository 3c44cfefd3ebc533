"""Geartrain's own events in systemd's journal, with fields: `journalctl GEAR_APP=shop`.

Source: systemd.journal-fields(7) and systemd.io/JOURNAL_NATIVE_PROTOCOL. An entry is one datagram.
Where there is no journal, nothing is said: the history has it all.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Mapping
from pathlib import Path

from geartrain.engine.docker.jobs import Run
from geartrain.release.events import Event, What

SOCKET = Path("/run/systemd/journal/socket")
LONGEST = 16_000  # letters of a value; a larger datagram would be refused
ERROR, WARNING, NOTICE, INFO = 3, 4, 5, 6  # syslog(3)

_GRAVITY = {
    What.FAILED: ERROR,
    What.TROUBLE: ERROR,
    What.ROLLED_BACK: WARNING,
    What.RESTARTED: WARNING,
    What.LIVE: NOTICE,
}


def event(app: str, what: Event) -> None:
    """Tell what was written into an app's history."""
    message = f"{app}: {what.title}" + (f": {what.why}" if what.why else "")
    fields = {
        "GEAR_RELEASE": "" if what.release is None else str(what.release),
        "GEAR_SERVICE": what.service,
        "GEAR_INSTANCE": what.instance,
        "GEAR_BY": what.by,
        "GEAR_VIA": what.via,
    }
    send(app, what.what.replace(" ", "-"), message, _GRAVITY.get(what.what, INFO), fields)


def job(app: str, service: str, done: Run) -> None:
    """Tell how a job went."""
    took = f"after {done.ended - done.began:.1f} s"
    fields = {"GEAR_RELEASE": str(done.release), "GEAR_SERVICE": service}
    if done.code:
        send(app, "job-failed", f"{app}: {service} {done.why} {took}", WARNING, fields)
    else:
        send(app, "job-ran", f"{app}: {service} ran, {took}", INFO, fields)


def send(
    app: str, what: str, message: str, priority: int, fields: Mapping[str, str] | None = None,
    to: Path | None = None,
) -> None:  # fmt: skip
    """Send one entry, if there is a journal.

    Args:
        app: the app that it is about; "" for the host.
        what: the kind of event, in one word.
        message: what people read.
        priority: how grave it is, as in syslog(3).
        fields: further ones; those without a value are left out.
        to: the journal's socket; default the system's.
    """
    said = {
        "MESSAGE": message,
        "PRIORITY": str(priority),
        "SYSLOG_IDENTIFIER": "gear",
        "GEAR_EVENT": what,
        "GEAR_APP": app,
        **(fields or {}),
    }
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.setblocking(False)  # a journal that is stuck holds nobody up
        link.sendto(datagram(said), str(to or SOCKET))


def datagram(fields: Mapping[str, str]) -> bytes:
    """An entry as the journal reads it: a line each, or with its length where it has several."""
    made = []
    for name, text in fields.items():
        value = text[:LONGEST].encode(errors="replace")
        if b"\n" in value:
            made.append(name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n")
        elif value:
            made.append(name.encode() + b"=" + value + b"\n")
    return b"".join(made)
