"""The hook, with `kill -9` of the release at one of its moments (`moments`).

What lasts is a step, an event in the history, a kept release, the push's objects, the branch. With
`KILL_FINE=fine` there is a moment at each start of a program, too.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from geartrain.cli import receive
from geartrain.cli.progress import Progress
from geartrain.release.ledger import DiskLedger
from geartrain.server import branch, monitor
from geartrain.server import receive as server
from geartrain.server.quarantine import Quarantine
from tests.server.moments import around, moment


def at_programs(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen":
        words = [os.fsdecode(word) for word in arguments[1]]
        moment(f"run {Path(words[0]).name} {' '.join(words[1:3])}")


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
