"""Small disks that a test may fill."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def mounted(folder: Path, size: str) -> Iterator[None]:
    """A small file system of its own, in memory; `size` as mount(8) takes it: `600m`."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "gear", folder]
    if subprocess.run(words, check=False, capture_output=True).returncode:
        pytest.skip("root may not mount anything here (a container)")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path, leave: int) -> Path:
    """Leave so many bytes free, or somewhat fewer: logs grow meanwhile."""
    path = folder / "filler"
    with path.open("wb") as file:
        for _ in range(100):
            room = os.statvfs(folder)
            size = room.f_bavail * room.f_frsize - leave
            with contextlib.suppress(OSError):
                os.posix_fallocate(file.fileno(), 0, max(1, size))
                return path
    raise AssertionError("the disk cannot be filled")
