"""What the machine says no to, wherever it happens: not a bug, so not a traceback."""

from __future__ import annotations

import errno

from geartrain.errors import GearError

REFUSALS = {
    errno.ENOSPC: "the disk is full; make room and run the same again",
    errno.EDQUOT: "the disk quota is used up; make room and run the same again",
    errno.EFBIG: "this user may not write files of that size (`ulimit -f`)",
    errno.EROFS: "this file system is read-only",
    errno.EACCES: "this user may not do that",
    errno.EPERM: "this user may not do that",
    errno.EMFILE: "too many files are open (`ulimit -n`)",
    errno.ENOMEM: "there is no memory left",
}


def refusal(error: OSError) -> GearError | None:
    """The machine's refusal as a user reads it; None for what can only be a bug."""
    said = REFUSALS.get(error.errno or 0)
    return GearError(said, where=str(error.filename or "")) if said else None
