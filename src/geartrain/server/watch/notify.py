"""What a service tells systemd: sd_notify(3), a datagram to a socket that the environment names."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import MutableMapping

READY = "READY=1"
ALIVE = "WATCHDOG=1"
STOPPING = "STOPPING=1"


class Notify:
    """Tells systemd how this service is; nobody, where systemd did not start it.

    Args:
        environ: the environment. What systemd put there is taken out: it is not for children.
    """

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self._to = environ.pop("NOTIFY_SOCKET", "")
        environ.pop("WATCHDOG_USEC", "")
        environ.pop("WATCHDOG_PID", "")

    def __call__(self, *words: str) -> None:
        """Tell something, such as `READY=1`, or `STATUS=` with a sentence."""
        if not self._to:
            return
        place = f"\0{self._to[1:]}" if self._to.startswith("@") else self._to
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
            link.settimeout(1.0)
            link.sendto("\n".join(words).encode(), place)
