"""What a machine has to be before anything on it is changed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import PurePosixPath

from geartrain.errors import Exit, GearError
from geartrain.server.prepare import layout
from geartrain.server.prepare.machine import Machine

TOLERATED = 300.0  # seconds that two clocks may differ by
DAY = 86400
PORTS = (80, 443)
SYSTEMD = PurePosixPath("/run/systemd/system")  # sd_booted(3)
PACKAGES = PurePosixPath("/var/lib/dpkg/status")
_LISTENS = "0A"  # proc(5), /proc/net/tcp


def see(machine: Machine) -> None:
    """See that a machine can be prepared.

    Args:
        machine: the machine, as root.

    Raises:
        GearError: it cannot.
    """
    _systemd(machine)
    _clock(machine)
    if machine.run("test", "-e", layout.HOST / "host.json", check=False).code != 0:
        _ports(machine)


def _systemd(machine: Machine) -> None:
    if machine.run("test", "-d", SYSTEMD, check=False).code != 0:
        raise GearError(
            "systemd does not run this machine",
            where=machine.name,
            remedy="a server starts its apps by systemd; in a container use Docker Compose, or"
            " `gear host init` by hand",
            code=Exit.MISSING,
        )


def _clock(machine: Machine) -> None:
    """A wrong clock lets certificates and package lists fail with odd messages."""
    before = time.time()
    said = machine.says("date", "+%s")
    after = time.time()
    if not said.isdecimal():
        return
    there = int(said)
    if machine.is_here:
        # Nobody else's clock to compare with, but what is on the disk was not written tomorrow.
        written = machine.says("stat", "-c", "%Y", PACKAGES)
        late = int(written) - there if written.isdecimal() else 0
        if late > DAY:
            raise _wrong(machine, f"is behind by {_long(late)} or more")
    elif there < before - TOLERATED:
        raise _wrong(machine, f"is {_long(before - there)} behind this machine's")
    elif there > after + TOLERATED:
        raise _wrong(machine, f"is {_long(there - after)} ahead of this machine's")


def _wrong(machine: Machine, how: str) -> GearError:
    return GearError(
        f"its clock {how}",
        where=machine.name,
        remedy="set the one that is wrong: `timedatectl set-ntp true` where systemd-timesyncd or"
        " chrony is installed, or `date --set`; then run the same again",
        code=Exit.MISSING,
    )


def _long(seconds: float) -> str:
    units = ((DAY, "days"), (3600, "hours"), (60, "minutes"))
    size, name = next((unit for unit in units if seconds >= 2 * unit[0]), units[-1])
    return f"{seconds / size:.0f} {name}"


def _ports(machine: Machine) -> None:
    """The ports that nginx is to answer on are not somebody else's."""
    for port, inode in _listening(machine):
        if port not in PORTS:
            continue
        # `socket:[INODE]`, in which find's pattern would take the brackets for a choice.
        # What ends while it looks is nothing to it, and makes it fail.
        found = machine.run("find", "/proc", "-mindepth", "3", "-maxdepth", "3", "-path",
                            "/proc/[0-9]*/fd/*", "-lname", rf"socket:\[{inode}\]",
                            check=False).out  # fmt: skip
        pid = found.split("\n")[0].split("/")[2] if found else ""
        name = machine.says("cat", f"/proc/{pid}/comm") if pid else ""
        unit = _unit(machine.says("cat", f"/proc/{pid}/cgroup")) if pid else ""
        raise GearError(
            f"port {port} is held by " + (f"{name} (pid {pid})" if name else "a program"),
            where=machine.name,
            remedy="nginx is to answer there: "
            + (f"systemctl disable --now {unit}" if unit else "stop that program")
            + ", then run the same again",
            code=Exit.MISSING,
        )


def _listening(machine: Machine) -> Iterator[tuple[int, str]]:
    """Ports with somebody who listens, and the sockets' inodes."""
    for table in ("tcp", "tcp6"):
        for line in machine.says("cat", f"/proc/net/{table}").splitlines()[1:]:
            words = line.split()
            if len(words) > 9 and words[3] == _LISTENS:
                yield int(words[1].rpartition(":")[2], 16), words[9]


def _unit(cgroup: str) -> str:
    """The unit that a process belongs to, of what /proc/PID/cgroup says; "" for none."""
    for line in cgroup.splitlines():
        last = line.rpartition("/")[2]
        if last.endswith(".service"):
            return last
    return ""
