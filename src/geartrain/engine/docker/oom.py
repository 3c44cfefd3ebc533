"""Whether the kernel killed a container's process for lack of memory.

Docker hears of that from the kernel, and too late when the container has ended by then: its
`OOMKilled` is then false. The kernel's own log knows the control group, whose name has the
container's id in it, with either cgroup driver.
"""

from __future__ import annotations

import os
from pathlib import Path

LOG = Path("/dev/kmsg")  # a record a read (Documentation/ABI/testing/dev-kmsg)
RECORD = 8192
KILLED = 137  # 128 + SIGKILL


def killed(container: str, log: Path = LOG) -> bool:
    """Tell whether the kernel's log has it.

    Args:
        container: the container's whole id.
        log: where the kernel's log is.

    Returns:
        False also when this user may not read the log.
    """
    try:
        fd = os.open(log, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return any(b"oom-kill:" in one and container.encode() in one for one in _records(fd))
    finally:
        os.close(fd)


def _records(fd: int) -> list[bytes]:
    found = []
    while True:
        try:
            one = os.read(fd, RECORD)
        except BrokenPipeError:  # it was overwritten meanwhile; the next one is there
            continue
        except OSError:  # nothing more for now
            break
        if not one:
            break
        found.append(one)
    return found
