"""What the watcher does not load: it is there all the time."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {"asyncio", "click", "cryptography", "hashlib", "pyrage", "ssl", "yaml"}


def test_nothing_large_is_loaded() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-X", "importtime", "-c", "import geartrain.server.watch.__main__"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "geartrain.server.watch.watcher" in loaded
    assert loaded & HEAVY == set()
