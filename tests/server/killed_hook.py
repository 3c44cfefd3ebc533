"""The hook, with `kill -9` of the release at one of its moments: `KILL_AT` counts them from 1.

A moment is before and after each thing that lasts: a step, an event in the
history, a kept release, the push's objects, the branch. Each is noted in `KILL_LOG`.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from geartrain.cli import receive
from geartrain.cli.progress import Progress
from geartrain.release.ledger import DiskLedger
from geartrain.server import branch
from geartrain.server import receive as server
from geartrain.server.quarantine import Quarantine

AT = int(os.environ["KILL_AT"])
LOG = Path(os.environ["KILL_LOG"])
count = 0


def moment(name: str) -> None:
    global count
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


def begins_and_ends() -> None:
    for name in ("begin", "end"):
        real = getattr(Progress, name)

        def shown(
            self: Progress, step: Any, *rest: Any, real: Any = real, name: str = name
        ) -> None:
            real(self, step, *rest)
            moment(f"{name} {type(step).__name__}")

        setattr(Progress, name, shown)


begins_and_ends()
for method in ("weigh", "check_out", "keep"):
    around(Quarantine, method)
for method in ("save", "tell", "prune"):
    around(DiskLedger, method)
around(server, "_give_checkout")
around(branch, "follow")
sys.exit(receive.main())
