"""Writing files so that a crash leaves the old text or the new one, never half of it."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

AT_ONCE = 16
MANY = 2000  # files; for more, the whole file system is quicker
AT_FDCWD, RENAME_EXCHANGE = -100, 2  # fcntl.h, linux/fs.h


def write(path: Path, text: str | bytes, mode: int = 0o644, owner: int | None = None) -> None:
    """Replace a file atomically and durably (write, fsync, rename, fsync of the folder).

    Args:
        path: the file; its folder exists.
        text: what it says afterwards.
        mode: permission bits.
        owner: numeric user that owns it; default this process's own.
    """
    data = text.encode() if isinstance(text, str) else text
    # A thread's number is no other's, nor another process's (gettid(2)).
    fresh = path.with_name(f".{path.name}.{threading.get_native_id()}.new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            os.fchmod(file.fileno(), mode)
            if owner is not None:
                os.fchown(file.fileno(), owner, owner)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def exchange(one: Path, other: Path) -> None:
    """Have two folders or files change places, in one step where the file system can."""
    import ctypes  # takes a while to load

    names = (os.fsencode(one), os.fsencode(other))
    try:
        rename = ctypes.CDLL(None).renameat2
    except AttributeError:  # an older C library
        done = -1
    else:
        done = rename(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE)
    if done:
        between = one.with_name(f"{one.name}.{os.getpid()}")
        other.rename(between)
        one.rename(other)
        between.rename(one)
    for folder in {one.parent, other.parent}:
        sync_folder(folder)


def sync_tree(folder: Path) -> None:
    """Make all files and folders in a folder survive a power cut; no link is followed."""
    from concurrent.futures import ThreadPoolExecutor  # takes a while to load

    files = [Path(place, name) for place, _, names in os.walk(folder) for name in names]
    if len(files) > MANY:
        sync_system(folder)
        return
    with ThreadPoolExecutor(AT_ONCE) as pool:  # the disk does many in one go
        list(pool.map(_sync_file, files))
    for place, _, _ in os.walk(folder, topdown=False):
        sync_folder(Path(place))


def _sync_file(path: Path) -> None:
    if path.is_symlink():
        return
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_system(path: Path) -> None:
    """Have all that was written on a path's file system survive a power cut (syncfs(2)).

    For many files at once, which would take longer one by one.
    """
    import ctypes  # takes a while to load

    fd = os.open(path, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(fd):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
    finally:
        os.close(fd)


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Be the only one who holds a lock file, of all processes and threads; waits for whoever does.

    Args:
        lock: the file; its folder exists.
    """
    fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
