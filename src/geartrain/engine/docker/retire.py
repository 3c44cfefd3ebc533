"""The process that ends instances once their last requests are answered."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from geartrain.engine.docker.host import DockerHome, DockerHost
from geartrain.engine.docker.retiring import end_all


def main() -> None:
    """Run it: the host's folder, the app's name and folder, and the lock's descriptor."""
    host, name, folder, lock = sys.argv[1:]
    # A terminal that closes, and Ctrl-C there, are not meant for it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    end_all(DockerHome(DockerHost(Path(host)), name, Path(folder), Path(folder)), int(lock))


if __name__ == "__main__":
    main()
