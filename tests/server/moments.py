"""`kill -9` of the program that imports this at one of its moments: `KILL_AT` counts them from 1.

A moment is before and after each thing that lasts. Each is noted in `KILL_LOG`; `KILL_AT=0` kills
nothing, and after `KILL_OVER` is set there are none.
"""

from __future__ import annotations

import functools
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

AT = int(os.environ["KILL_AT"])
LOG = Path(os.environ["KILL_LOG"])
count = 0
turn = threading.Lock()


def moment(name: str) -> None:
    global count
    if os.environ.get("KILL_OVER"):
        return
    with turn:  # builds and data services come at once
        count += 1
        with LOG.open("a") as file:
            file.write(f"{name}\n")
        if count == AT:
            os.kill(os.getpid(), signal.SIGKILL)


def around(owner: Any, name: str) -> None:
    """Have a moment before and after a function."""
    real: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(real)
    def both(*args: Any, **rest: Any) -> Any:
        moment(f"before {name}")
        done = real(*args, **rest)
        moment(f"after {name}")
        return done

    setattr(owner, name, both)
