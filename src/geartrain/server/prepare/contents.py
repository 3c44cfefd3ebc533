"""What is put on a machine, word for word: the steps do it, and what is exported says the same."""

from __future__ import annotations

from pathlib import PurePosixPath

from geartrain.render import systemd
from geartrain.server.prepare import layout

DAEMON = '{\n  "live-restore": true\n}\n'
JOURNAL = (
    "# Written by `gear server prepare`.\n[Journal]\nSystemMaxUse=500M\nMaxRetentionSec=90day\n"
)
UNITS = systemd.units(layout.PLACE)
UNIT_NAMES = "geartrain*"
FIND_UNITS = (
    *("find", str(layout.UNITS), "-maxdepth", "1", "-type", "f"),
    *("-name", UNIT_NAMES, "-printf", r"%f\n"),
)
"""Lists the files of units, also those of another version."""

# `*` is no password, but does not lock the user out of sshd as `!` does without PAM.
NO_PASSWORD = "*"  # noqa: S105
SHELL = "/bin/sh"
DOCKERS_GROUP = "docker"

DOCKERS = ("/usr/bin/dockerd", "/usr/bin/docker")
"""Programs that make the distribution's Docker needless where they are."""

LOCK = PurePosixPath("requirements/runtime.txt")
MARKER = PurePosixPath(".venv/geartrain.lock")
"""In a version's folder: the lock, and its copy, with which the environment is complete."""

KEPT = 2
"""Versions that stay beside the one that is used."""

IN_USE = (
    *("find", "/proc", "-mindepth", "2", "-maxdepth", "2", "-name", "maps"),
    *("-exec", "grep", "-ahosE", f"{layout.VERSIONS}/[^/ ]+", "{}", "+"),
)
"""Says the folder of a version for every file of it that a process has mapped."""


def set_up(folder: PurePosixPath) -> tuple[str, ...]:
    """Makes a version's environment, or completes it.

    Args:
        folder: the version's.
    """
    return (
        *("sh", f"{folder}/requirements/make_environment.sh"),
        *(str(folder / MARKER.parent), str(folder / LOCK)),
    )


MAKE_HOST = (
    *("runuser", "-u", layout.USER, "--", str(layout.GEAR), "host", "init"),
    *("--engine", "docker", "--host-dir", str(layout.HOST)),
)
"""Makes the host, as its owner."""

CLAIMS = ("find", f"{layout.HOST}/edge/current/apps/", "-name", "*.json")
"""Lists what each app has of the edge."""

CONVERGE = (
    *("runuser", "-u", layout.USER, "--", "env", "--chdir=/", str(layout.GEAR)),
    *("converge", "--all", "--host-dir", str(layout.HOST)),
)
"""Has all apps served as this version would serve them, as the host's owner, who may not look
into root's folder."""
