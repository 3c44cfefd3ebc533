"""Whether the client of a push is still there.

Git's receive-pack goes on without it until the hook has ended, and reads no
more of what the hook says (its thread for that ends at the first write that
fails). So the hook looks for itself: is there anybody at the other end of
receive-pack's output?
"""

from __future__ import annotations

import os
import select
from pathlib import Path


def gone(git: int) -> bool:
    """True when nobody reads what receive-pack says, or it has ended itself.

    Args:
        git: its pid; this process's parent.
    """
    if os.getppid() != git:
        return True
    output = Path(f"/proc/{git}/fd/1")
    try:
        if not str(output.readlink()).startswith("pipe:"):
            return False  # a socket cannot be asked like this; sshd ends receive-pack itself
        fd = os.open(output, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        other_end = select.poll()
        other_end.register(fd, 0)
        return bool(other_end.poll(0))  # POLLERR: nobody reads (poll(2))
    finally:
        os.close(fd)
