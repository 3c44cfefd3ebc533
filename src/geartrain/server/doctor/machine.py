"""The machine itself: its system, clock, disks, and whether it waits for a reboot."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from geartrain.errors import GearError
from geartrain.render import systemd
from geartrain.run import run
from geartrain.server.doctor.finding import Finding
from geartrain.server.prepare.system import recognize

LEAST = 2 * 10**9  # bytes free, and at least a tenth of the disk
ROOT = Path("/")
SYSTEMD = Path("run/systemd/system")  # sd_booted(3)
UNITS = systemd.ENABLED


def system(root: Path = ROOT) -> Finding:
    """Whether the distribution is one that Geartrain is for."""
    file = root / "etc/os-release"
    try:
        return Finding(what=recognize(file.read_text() if file.exists() else "").name)
    except GearError as error:
        # It may work all the same: nobody has tried.
        return Finding(what=error.what.replace("prepared", "prepared by Geartrain"))


def clock(root: Path = ROOT) -> Iterator[Finding]:
    """Whether something keeps the clock right: certificates and cookies depend on it."""
    if not (root / SYSTEMD).exists():
        return
    words = ("timedatectl", "show", "--property=NTPSynchronized", "--value")
    try:
        said = run(words, check=False, timeout=10).out.strip()
    except GearError:
        return
    if said:
        right = said == "yes"
        yield Finding(
            what="the clock is kept right" if right else "nothing keeps the clock right",
            ok=right,
            remedy="sudo apt-get install systemd-timesyncd && sudo timedatectl set-ntp true",
        )


def disks(places: Mapping[str, Path]) -> Iterator[Finding]:
    """Room on the disks of some folders, each disk once.

    Args:
        places: what is in a folder → the folder.
    """
    seen: dict[int, list[str]] = {}
    folders: dict[int, Path] = {}
    for name, folder in places.items():
        if folder.exists():
            disk = folder.stat().st_dev
            seen.setdefault(disk, []).append(name)
            folders.setdefault(disk, folder)
    for disk, names in seen.items():
        found = os.statvfs(folders[disk])
        yield room(
            " and ".join(names), folders[disk],
            free=found.f_bavail * found.f_frsize, total=found.f_blocks * found.f_frsize,
            files=found.f_favail / found.f_files if found.f_files else 1.0,
        )  # fmt: skip


def room(what: str, folder: Path, *, free: int, total: int, files: float) -> Finding:
    """Whether there is enough of it.

    Args:
        what: what is on the disk.
        folder: a folder on it.
        free: bytes.
        total: bytes.
        files: the share of files that can still be made.
    """
    enough = free >= max(LEAST, total / 10)
    said = f"{free / 1e9:.1f} of {total / 1e9:.1f} GB are free for {what} ({folder})"
    if files < 0.05:
        said += f", and {files:.0%} of its files"
    return Finding(
        what=said,
        ok=enough and files >= 0.05,
        remedy="`gear images prune`; `docker system df` and `du -xh --max-depth=2 /var | sort -h`"
        " show who holds what",
    )


def reboot(root: Path = ROOT, running: str = os.uname().release) -> Finding:
    """Whether an update waits for the next boot."""
    asked = root / "run/reboot-required"
    why = "an update asks for a reboot" if asked.exists() else ""
    kernels = sorted((root / "boot").glob("vmlinuz-*"), key=_version)
    names = [path.name.removeprefix("vmlinuz-") for path in kernels]
    if not why and running in names and names[-1] != running:
        why = f"the kernel {names[-1]} is installed, and {running} runs"
    return Finding(
        what=why or "no reboot is pending",
        ok=not why,
        remedy="sudo reboot; a prepared host brings its apps back by itself",
    )


def _version(path: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", path.name))


def units(root: Path = ROOT) -> Iterator[Finding]:
    """Whether systemd brings the apps back at boot, on a prepared machine."""
    if not (root / SYSTEMD).exists():
        return
    if not (root / "etc/systemd/system" / UNITS[0]).exists():
        yield Finding(
            what="nothing brings the apps back after a reboot",
            ok=False,
            remedy="gear server prepare makes systemd do it",
        )
        return
    for unit in UNITS:
        if not (root / "etc/systemd/system" / unit).exists():
            yield Finding(
                what=f"{unit} is not there: an older Geartrain prepared this machine",
                ok=False,
                remedy="gear server prepare",
            )
            continue
        states = [
            run(("systemctl", f"is-{one}", unit), check=False, timeout=10).out.strip()
            for one in ("enabled", "active")
        ]
        yield Finding(
            what=f"{unit} is {' and '.join(states)}",
            ok=states == ["enabled", "active"],
            remedy=f"sudo systemctl enable --now {unit}; journalctl -u {unit}",
        )
