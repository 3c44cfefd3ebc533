"""Lets work that can wait give way to programs that answer requests.

A release on a busy machine builds, starts and stops containers beside those that serve. What this
process does of that, and all that it starts, gets what the others leave.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

NICE = 10


def give_way() -> None:
    """Lower the priority of this process and its children, for good."""
    os.nice(NICE)
    pass_on(os.getpid())


def pass_on(process: int) -> None:
    """Have a process that this one started in a session of its own give way as this one does.

    Where the kernel shares the processor out among sessions, a priority counts within one, and
    each begins with the usual one (sched(7), autogroup).
    """
    if (nice := os.getpriority(os.PRIO_PROCESS, 0)) > 0:
        with contextlib.suppress(OSError):
            Path(f"/proc/{process}/autogroup").write_text(str(nice))
