"""A folder that lies in memory, not on a disk: for secrets that instances are given as files.

    BASE/HOST/APP/releases/N/    the release's secrets/, its compose.json
    BASE/HOST/APP/data/NAME/     the same of a data service

BASE is what the file `runtime` in the host's folder names; else `/run/geartrain`, where systemd has
made that for this user; else a folder of this user's in `/dev/shm`. It is empty after a reboot, and
`gear converge` fills it again. Not `XDG_RUNTIME_DIR`: it goes when its user logs out.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from geartrain import durable
from geartrain.errors import Exit, GearError

FILE = "runtime"
SYSTEM = Path("/run/geartrain")
SHARED = Path("/dev/shm")  # noqa: S108  # a folder of this user's in it, which is looked at
KINDS = ("tmpfs", "ramfs")
TRIES = 100
MOUNTS = Path("/proc/self/mountinfo")


class Memory:
    """An app's folder in memory.

    Args:
        host: the host's folder of state.
        app: the app's name on it.
    """

    def __init__(self, host: Path, app: str) -> None:
        import hashlib  # with it OpenSSL comes, which is too large for what only watches

        self._host = host
        self._below = Path(hashlib.sha256(str(host.resolve()).encode()).hexdigest()[:12]) / app

    def folder(self, part: str) -> Path | None:
        """A folder for one part of the app, made where it is missing; None: there is no memory.

        Raises:
            GearError: somebody else has a hand in it, or it is full.
        """
        base = place(self._host)
        if base is None:
            return None
        for left in reversed(range(TRIES)):
            try:
                for folder in _down(base, self._below / part):
                    _make(folder)
                break
            except OSError as error:
                # Another app's last folder took the empty ones above it along.
                if not left or not isinstance(error, FileNotFoundError):
                    raise _refused(error, base) from error
        return base / self._below / part

    def there(self, part: str) -> tuple[Path, ...]:
        """Where something of a part lies."""
        every = (base / self._below / part for base in _known(self._host))
        return tuple(folder for folder in every if folder.is_dir())

    def parts(self, kind: str) -> tuple[str, ...]:
        """The names of what is there, of a kind such as `releases`."""
        found = {path.name for base in _known(self._host)
                 for path in (base / self._below / kind).glob("*")}  # fmt: skip
        return tuple(sorted(found))

    def holds(self, path: Path) -> bool:
        """Whether a path is in this app's part of a folder in memory, there or not."""
        return any(path.is_relative_to(base / self._below) for base in _bases(self._host))

    def forget(self, part: str = "") -> None:
        """Delete a part, or all that is the app's."""
        for base in _known(self._host):
            shutil.rmtree(base / self._below / part, ignore_errors=True)
            for folder in reversed(list(_down(base, self._below / part))):
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    continue
                except OSError:  # something else is in it
                    break


def write(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file, unless it says that already: who has it mounted goes on seeing it.

    Raises:
        GearError: there is no room for it.
    """
    try:
        if not _says(path, text.encode(), mode):
            durable.write(path, text, mode)
    except OSError as error:
        if in_memory(path.parent):
            raise _refused(error, path) from error
        raise


def _says(path: Path, text: bytes, mode: int) -> bool:
    """Whether a file has this text and mode; an empty folder in its place is taken away."""
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(there.st_mode):
        path.rmdir()  # a daemon has made it, which looked for the file too early
        return False
    regular = stat.S_ISREG(there.st_mode) and stat.S_IMODE(there.st_mode) == mode
    return regular and path.read_bytes() == text


def choose(host: Path, folder: Path) -> None:
    """Have a host's secrets lie in a folder from now on.

    Args:
        host: the host's folder of state.
        folder: of a tmpfs, and this user's alone.

    Raises:
        GearError: it is not.
    """
    _check(folder, host)
    durable.write(host / FILE, f"{folder}\n")


def place(host: Path) -> Path | None:
    """Where a host's secrets lie; None on a machine that has no memory for files.

    Args:
        host: the host's folder of state.

    Raises:
        GearError: it is not this user's alone, or what the host names is no such place.
    """
    named, *usual = _bases(host)
    if named != host / FILE:
        _check(named, host)
        return named
    system, own = usual
    if _is_mine(system) and in_memory(system):
        return system
    if not in_memory(own.parent) or not os.access(own.parent, os.W_OK | os.X_OK):
        return None
    try:
        _make(own)
    except OSError as error:
        raise _refused(error, own) from error
    return own


def in_memory(path: Path) -> bool:
    """Whether a path is on a file system that is in memory (proc_pid_mountinfo(5))."""
    try:
        lines = MOUNTS.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return False
    here, best, kind = path.resolve(), -1, ""
    for line in lines:
        left, _, right = line.partition(" - ")
        words = left.split(" ")
        if len(words) < 5 or not right:
            continue
        at = Path(re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), words[4]))
        # Of several mounts on one point the last is seen.
        if here.is_relative_to(at) and len(at.parts) >= best:
            best, kind = len(at.parts), right.split(" ")[0]
    return kind in KINDS


def _bases(host: Path) -> tuple[Path, Path, Path]:
    """What the host names (or the file that would), the system's, this user's own."""
    try:
        said = (host / FILE).read_text().strip()
    except FileNotFoundError:
        said = ""
    return Path(said) if said else host / FILE, SYSTEM, SHARED / f"geartrain-{os.geteuid()}"


def _known(host: Path) -> Iterator[Path]:
    """Every place where something may lie, as far as it is this user's."""
    return (base for base in _bases(host) if _is_mine(base))


def _down(base: Path, below: Path) -> Iterator[Path]:
    for number in range(len(below.parts)):
        yield base.joinpath(*below.parts[: number + 1])


def _make(folder: Path) -> None:
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    _refuse(folder, _what_is_wrong(folder.lstat()))


def _is_mine(folder: Path) -> bool:
    try:
        return _what_is_wrong(folder.lstat()) == ""
    except OSError:
        return False


def _check(folder: Path, host: Path) -> None:
    """Refuse a folder that was named for it and cannot be."""
    _own(folder)
    if not in_memory(folder):
        raise GearError(
            f"{folder} is on a disk, and secrets are to be in memory",
            where=str(folder),
            remedy=f"name a folder of a tmpfs: gear host init --runtime; {host / FILE} has it",
        )


def _own(folder: Path) -> None:
    """Refuse a folder that somebody else could have put there, or could write in."""
    try:
        wrong = _what_is_wrong(folder.lstat())
    except FileNotFoundError:
        wrong = "is not there"
    _refuse(folder, wrong)


def _refuse(folder: Path, wrong: str) -> None:
    if wrong:
        raise GearError(
            f"{folder} {wrong}, and secrets are to be written there",
            where=str(folder),
            remedy="look whose it is, and have its owner or root delete it",
            code=Exit.FAILED,
        )


def _what_is_wrong(found: os.stat_result) -> str:
    if stat.S_ISLNK(found.st_mode):
        return "is a link"
    if not stat.S_ISDIR(found.st_mode):
        return "is no folder"
    if found.st_uid != os.geteuid():
        return f"belongs to another user (uid {found.st_uid})"
    return "can be written to by others" if found.st_mode & 0o022 else ""


def _refused(error: OSError, path: Path) -> GearError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return GearError(
        "the memory that secrets are kept in is full"
        if full
        else f"secrets cannot be written: {error.strerror}",
        where=str(path),
        remedy=f"make room: `df -h {path.parent}`, `du -a {path.parent}`" if full else "",
    )
