"""Where what is on a prepared server."""

from __future__ import annotations

from pathlib import PurePosixPath

from geartrain.render.systemd import Place

USER = "gear"
HOST = PurePosixPath("/var/lib/geartrain")
PROGRAMS = PurePosixPath("/opt/geartrain")
VERSIONS = PROGRAMS / "versions"
CURRENT = PROGRAMS / "current"
GEAR = CURRENT / "gear"
COMMAND = PurePosixPath("/usr/local/bin/gear")
UNITS = PurePosixPath("/etc/systemd/system")
JOURNAL = PurePosixPath("/etc/systemd/journald.conf.d/geartrain.conf")
DOCKER = PurePosixPath("/etc/docker/daemon.json")

PLACE = Place(gear=GEAR, host=HOST, user=USER)
