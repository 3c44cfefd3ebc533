"""A pid file that outlived its process, and whose number somebody else has by now.

PostgreSQL does not start while `postmaster.pid`, or the lock beside its socket, names a living
process of its own user. After a kill or a reboot that can be anybody: numbers are given again
(PostgreSQL, `miscinit.c`).
"""

from __future__ import annotations

from pathlib import Path

from geartrain import durable

NOBODY = 4_194_305  # above the kernel's largest pid (proc_sys_kernel(5): 2^22)


def release(path: Path, home: Path) -> bool:
    """Have a pid file name nobody, when who it names was not started on anything in its home.

    The command line tells, which anybody may read (proc_pid_cmdline(5)): the folder that a process
    works in is hidden from root, too, where a container has no CAP_SYS_PTRACE. Only the number is
    changed: PostgreSQL goes on to ask, by the other lines, whether anybody is still attached to
    the shared memory of the one before.

    Args:
        path: the pid file; its first line is the number.
        home: the folder that has all of the service, the pid file too.

    Returns:
        True when it was changed.
    """
    try:
        first, _, rest = path.read_text().partition("\n")
        words = Path(f"/proc/{int(first)}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return False  # there is no such file or process: nobody stands in the way
    if any(_inside(word, folder) for word in words for folder in (home, home.resolve())):
        return False
    owner = path.stat()
    durable.write(path, f"{NOBODY}\n{rest}", owner.st_mode & 0o777, owner.st_uid)
    return True


def _inside(word: bytes, folder: Path) -> bool:
    name = str(folder).encode()
    return word == name or word.startswith(name + b"/")
