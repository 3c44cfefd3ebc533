"""What Git's `pre-receive` hook runs: `python -m geartrain.cli.receive HOST APP`.

The search for secrets takes longest of all that comes before a build, and has a process of its
own. It begins here, before this process has loaded what the rest of a push needs.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from geartrain.server import client, detached
from geartrain.server.leaks.begin import Beside, begin


def main() -> int:
    """Release what is pushed; the exit code is Git's to judge."""
    began = time.monotonic()
    lines = sys.stdin.readlines()
    # Nothing that is started from here is to take itself for a part of this push.
    said = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("GIT_")}
    quarantine = said.get("GIT_QUARANTINE_PATH")
    objects = Path(quarantine).resolve() if quarantine else None
    repository, git = Path.cwd(), os.getppid()
    os.chdir("/")

    def release(tell: Callable[[int], None]) -> None:
        with _search(repository, objects, lines) as beside:
            from geartrain.cli import pushed

            arrived = pushed.Arrived(lines, said, objects, git, began)
            pushed.release(Path(sys.argv[1]), sys.argv[2], arrived, beside, tell)

    return detached.run(release, lambda: client.gone(git))


def _search(repository: Path, objects: Path | None, lines: Sequence[str]) -> Beside:
    """Begin to search; a push of anything but one branch is refused, whatever is in it."""
    words = lines[0].split(" ", 2) if len(lines) == 1 else []
    return begin(repository, objects if words else None, words[1] if words else "")


if __name__ == "__main__":
    sys.exit(main())
