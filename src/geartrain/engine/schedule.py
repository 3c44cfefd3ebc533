"""When a job runs next."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from cronsim import CronSim


def next_run(expression: str, now: float) -> float:
    """The next time that a cron expression names, in UTC, as a Unix time in seconds.

    Raises:
        cronsim.CronSimError: it is not a cron expression.
    """
    return next(CronSim(expression, datetime.fromtimestamp(now, tz=UTC))).timestamp()


def told(at: float) -> str:
    """When a job runs next, for people; a Unix time in seconds."""
    return f"next run {time.strftime('%Y-%m-%d %H:%M', time.gmtime(at))} UTC"
