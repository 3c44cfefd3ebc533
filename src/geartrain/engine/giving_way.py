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
    # Where the kernel shares the processor out among sessions, that counts within one (sched(7)).
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(NICE))
