"""What the machine says no to, wherever it happens: not a bug, so not a traceback."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

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


def refusal(error: OSError, folder: Path | None = None) -> GearError | None:
    """The machine's refusal as a user reads it; None for what can only be a bug.

    Args:
        error: what happened.
        folder: where it happened, if the error does not say; of a full disk it is measured.
    """
    said = REFUSALS.get(error.errno or 0)
    if said and folder and error.errno == errno.ENOSPC:
        room = shutil.disk_usage(folder)
        said = f"{room.free // 2**20} of {room.total // 2**20} MB are free: {said}"
    return GearError(said, where=str(error.filename or folder or "")) if said else None
