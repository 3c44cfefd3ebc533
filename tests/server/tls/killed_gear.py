"""`gear`, with `kill -9` at one of the moments of a certificate's switch: `KILL_AT`, from 1.

A moment is before and after each thing that lasts. Each is noted in `KILL_LOG`.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from geartrain.__main__ import main
from geartrain.engine.certificates import Store
from geartrain.engine.docker import edge
from geartrain.release.ledger import DiskLedger

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


for method in ("put", "sweep"):
    around(Store, method)
for function in ("prepare", "test", "point", "_reload"):
    around(edge, function)
around(DiskLedger, "tell")
sys.argv[0] = "gear"
sys.exit(main())
