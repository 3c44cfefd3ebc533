"""Lets work that can wait give way to programs that answer requests.

A release on a busy machine builds, starts and stops containers beside those that serve. What this
process does of that, and all that it starts, gets what the others leave.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

NICE = 10
TRIES = 5
PAUSE = 0.1  # seconds; all users together may change a session's share so often, and no more


def give_way() -> None:
    """Lower the priority of this process and its children, for good.

    The share of its session only where that is its own: in somebody's terminal all else would
    give way from then on, too.
    """
    os.nice(NICE)
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):
            _share(os.getpid(), NICE)


def pass_on(process: int) -> None:
    """Have a process that this one started in a session of its own give way as this one does.

    Where the kernel shares the processor out among sessions, a priority counts within one, and
    each begins with the usual one (sched(7), autogroup).
    """
    if (nice := os.getpriority(os.PRIO_PROCESS, 0)) <= 0:
        return
    for _ in range(TRIES):
        try:
            _share(process, nice)
        except BlockingIOError:
            time.sleep(PAUSE)
        except OSError:
            return
        else:
            return


def _share(process: int, nice: int) -> None:
    Path(f"/proc/{process}/autogroup").write_text(str(nice))
