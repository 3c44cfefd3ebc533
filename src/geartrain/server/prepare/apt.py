"""Debian's packages: installed whoever else is at it, and whatever was interrupted."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

from geartrain.errors import Exit, GearError
from geartrain.run import CommandError, Completed
from geartrain.server.prepare.machine import Machine

LONGEST = 1800.0  # seconds for one command
PATIENCE = 300  # seconds to wait for whoever else installs packages
PAUSE = 2.0

QUIET = ("env", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_MODE=l")
GET = (*QUIET, "apt-get", "-q", "-o", f"DPkg::Lock::Timeout={PATIENCE}")
INSTALL = ("install", "-y", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold")

# As apt-get and dpkg say it of each of their locks; DPkg::Lock::Timeout is for one of them.
_LOCKED = re.compile(r"Could not get lock|Unable to (acquire|lock)|lock(ed)? .*by another process")
_UNREACHED = re.compile(
    r"(Temporary failure resolving|Could not resolve|Could not connect|Cannot initiate|Unable to"
    r" connect|Failed to fetch|Connection (failed|timed out)|Certificate verification failed).*"
)


def finish(machine: Machine) -> None:
    """Bring to its end what dpkg was interrupted in.

    A package whose files are half there dpkg does not touch any more (dpkg(1), "Package states"
    and "reinst-required"): it is installed anew.

    Raises:
        GearError: it cannot be had.
        CommandError: dpkg complains of something else.
    """
    configure = (*QUIET, "dpkg", "--configure", "-a", "--force-confold")
    try:
        _patiently(machine, *configure)  # apt-get does nothing before that was tried
    except CommandError:
        if not _half_there(machine):
            raise
    if broken := _half_there(machine):
        install(machine, broken, "--reinstall")
        _patiently(machine, *configure)


def _half_there(machine: Machine) -> list[str]:
    form = "-f=${db:Status-Status} ${db:Status-Eflag} ${binary:Package}\n"
    known = [line.split() for line in machine.says("dpkg-query", "-W", form).splitlines()]
    return [name for state, flag, name in known if state == "half-installed" or flag != "ok"]


def install(machine: Machine, names: Sequence[str], *how: str) -> None:
    """Install packages.

    Args:
        machine: where.
        names: the packages.
        how: further options of apt-get's.

    Raises:
        GearError: they cannot be had.
    """
    said = ""
    try:
        # It ends well when a mirror was not reached, as old lists may do.
        said = _patiently(machine, *GET, "update").err
        _patiently(machine, *GET, *INSTALL, *how, "--", *names)
    except CommandError as error:
        if unreached := _UNREACHED.search(f"{error.done.err}\n{said}"):
            raise GearError(
                f"the machine does not reach its packages: {unreached[0].strip()}",
                where=machine.name,
                remedy="see that `apt-get update` works there (network, DNS, a proxy in"
                " /etc/apt/apt.conf.d), then run the same again",
                code=Exit.MISSING,
            ) from error
        raise GearError(
            f"apt-get could not install {', '.join(names)}",
            where=machine.name,
            tail=error.tail,
            remedy="mend what it complains of, then run the same again",
        ) from error


def _patiently(machine: Machine, *argv: str) -> Completed:
    """Run a command again while somebody else has the lock that it needs."""
    deadline = time.monotonic() + PATIENCE
    while True:
        done = machine.run(*argv, timeout=LONGEST, check=False)
        if done.code == 0:
            return done
        if not _LOCKED.search(done.err) or time.monotonic() > deadline:
            raise CommandError(done)
        time.sleep(PAUSE)
