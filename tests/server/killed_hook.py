"""The hook, with `kill -9` of the release at one of its moments: `KILL_AT` counts them from 1.

A moment is before and after each thing that lasts: a step, an event in the
history, a kept release, the push's objects, the branch. With `KILL_FINE=fine` so is each
start of a program. Each is noted in `KILL_LOG`; `KILL_AT=0` kills nothing.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from geartrain.cli import receive
from geartrain.cli.progress import Progress
from geartrain.release.ledger import DiskLedger
from geartrain.server import branch, monitor
from geartrain.server import receive as server
from geartrain.server.quarantine import Quarantine

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


def at_programs(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen":
        words = [os.fsdecode(word) for word in arguments[1]]
        moment(f"run {Path(words[0]).name} {' '.join(words[1:3])}")


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


def watching() -> None:
    real = monitor.watch

    def watch(*words: Any) -> None:
        moment("begin watch")
        os.environ["KILL_OVER"] = "it goes on as the monitor, which is another matter"
        real(*words)

    monitor.watch = watch


begins_and_ends()
watching()
for method in ("weigh", "check_out", "keep"):
    around(Quarantine, method)
for method in ("save", "tell", "prune"):
    around(DiskLedger, method)
around(server, "_give_checkout")
around(branch, "follow")
if os.environ.get("KILL_FINE") == "fine":
    sys.addaudithook(at_programs)
sys.exit(receive.main())
