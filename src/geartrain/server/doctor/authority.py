"""Who gives certificates: whether it can be asked from here, and whether the clocks agree."""

from __future__ import annotations

import ssl
import time
import urllib.request
from collections.abc import Iterator

from geartrain.engine.certificates import Settings
from geartrain.server import clock
from geartrain.server.doctor.finding import Finding

SECONDS = 5.0  # for an answer


def authority(settings: Settings) -> Iterator[Finding]:
    """What is to be said of the ACME authority of a host, if certificates are asked for."""
    if not settings.acme:
        return
    who = settings.directory
    try:
        trusted = ssl.create_default_context(cafile=settings.authority or None)
        with urllib.request.urlopen(who, timeout=SECONDS, context=trusted) as answer:  # noqa: S310 - the host's owner gave it
            date = answer.headers.get("Date", "")
    except (OSError, ValueError) as error:
        why = str(error).removeprefix("<urlopen error ").removesuffix(">")
        by_clock = "not yet valid" in why or "has expired" in why
        yield Finding(
            what=f"{who}, which certificates are asked of, gives no answer: {why}",
            ok=False,
            remedy=clock.REMEDY
            if by_clock
            else "let this machine reach it, or name another: gear tls settings --directory URL",
        )
        return
    yield Finding(what=f"{who} answers")
    ahead = clock.seconds_ahead(date, time.time())
    if ahead is not None:
        wrong = clock.told(ahead, who)
        yield Finding(
            what=wrong or f"the clock agrees with that of {who}",
            ok=not wrong,
            remedy=clock.REMEDY,
        )
