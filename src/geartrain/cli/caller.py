"""Who gives the command: the name that the history keeps."""

from __future__ import annotations

import getpass
import os

VARIABLE = "GEAR_USER"


def name() -> str:
    """The name of the SSH key that was used, else this user's."""
    return os.environ.get(VARIABLE) or getpass.getuser()
