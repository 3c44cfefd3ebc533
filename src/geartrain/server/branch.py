"""The branch that releases is always at what runs."""

from __future__ import annotations

import contextlib
import os
import select
from pathlib import Path

from geartrain.release.git import Git, clear_abandoned
from geartrain.release.history import NONE, Desired


def follow(repository: Path, ref: str, desired: Desired) -> bool:
    """Move the branch to the commit that runs. The caller holds the app's lock.

    Git moves it when the hook has ended well. When Git was killed before that,
    or somebody rolled back, it is elsewhere.

    Returns:
        True when it had to move.
    """
    git = Git(repository)
    # Also before a push: Git would refuse to move the branch when the release is live already.
    for name in (ref, "HEAD"):
        clear_abandoned(repository / f"{name}.lock")
    now = git.at(ref)
    if not desired.commit or now == desired.commit:
        return False
    git("update-ref", "-m", "gear", ref, desired.commit, now or NONE)
    return True


def wait_for(pid: int, seconds: float) -> bool:
    """Wait until a process has ended, which need not be a child of this one.

    Returns:
        Whether it has.
    """
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return True
    with contextlib.closing(os.fdopen(fd)):
        return bool(select.select([fd], [], [], seconds)[0])
