"""Whether this machine's clock agrees with somebody else's, as HTTP's headers tell theirs."""

from __future__ import annotations

import email.utils
import re

ALLOWED = 300.0  # seconds: less is told to nobody
LONGEST = 7 * 86400.0  # what a `Retry-After` may ask for
REMEDY = "set the clock right: sudo timedatectl set-ntp true"


def seconds_ahead(date: str, now: float) -> float | None:
    """How far a clock that says `now` is ahead of a `Date` header; None without one."""
    there = _moment(date)
    return None if there is None else now - there


def retry_after(said: str, now: float) -> float:
    """The seconds of a `Retry-After` header, which may be a number or a date (RFC 9110, 10.2.3)."""
    if re.fullmatch("[0-9]+", said):
        wanted = float(said[:12])
    else:
        there = _moment(said)
        wanted = 0.0 if there is None else there - now
    return max(0.0, min(LONGEST, wanted))


def told(ahead: float, who: str) -> str:
    """Say that the clock is wrong, or "" where it is right."""
    if abs(ahead) <= ALLOWED:
        return ""
    side = "ahead of" if ahead > 0 else "behind"
    return f"this machine's clock is {_long(abs(ahead))} {side} that of {who}"


def _long(span: float) -> str:
    for size, unit in ((86400.0, "days"), (3600.0, "hours")):
        if round(span / size) >= 2:
            return f"{span / size:.0f} {unit}"
    return f"{span / 60:.0f} minutes"


def _moment(date: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
