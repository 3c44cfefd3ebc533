"""Files that containers have mounted and that are gone: a reboot empties what lies in memory.

A container that runs goes on seeing its files; one that starts again without them does not start.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from geartrain.engine.docker.host import DockerHome
from geartrain.engine.docker.observing import Container


def releases(home: DockerHome, found: Iterable[Container]) -> tuple[int, ...]:
    """The releases of which a container misses a file in memory.

    Args:
        home: the app's home.
        found: its containers.
    """
    memory = home.memory
    gone = {
        one.instance.release
        for one in found
        if memory and one.instance and one.instance.release is not None
        for mount in one.mounts
        if mount.kind == "bind" and memory.holds(Path(mount.source))
        # An empty folder is what a daemon makes in place of a file that it does not find.
        if not Path(mount.source).is_file()
    }
    return tuple(sorted(number for number in gone if number is not None))
