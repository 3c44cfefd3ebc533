"""Who listens where on this machine, read from /proc (proc(5), `/proc/net/tcp`)."""

from __future__ import annotations

import os
import re
import shlex
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")

_LISTENING = b" 0A "  # TCP_LISTEN
_INODE = re.compile(r"socket:\[(\d+)\]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Listener:
    """A TCP socket that accepts connections, and the process that holds it."""

    address: str
    port: int
    pid: int

    @property
    def wildcard(self) -> bool:
        """True when it takes connections to every address of the machine."""
        return self.address in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """The program that holds a port. `pid` is None when it is another user's and cannot be seen."""

    pid: int | None
    command: str
    user: str

    def __str__(self) -> str:
        if self.pid is None:
            return f"another user's process (user {self.user})"
        return f"{self.command or 'a program'} (pid {self.pid}, user {self.user})"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Socket:
    address: str
    port: int
    user: int
    inode: str


def listeners(pid: int) -> tuple[Listener, ...]:
    """What a process and its descendants listen on, sorted by port and address.

    Processes that ended meanwhile, or that may not be looked into, count as
    listening nowhere.
    """
    sockets = {entry.inode: entry for entry in _sockets(PROC / str(pid) / "net")}
    found = {
        (sockets[inode].port, sockets[inode].address): member
        for member in sorted(descendants(pid), reverse=True)
        for inode in _inodes(member)
        if inode in sockets
    }
    return tuple(
        Listener(address=address, port=port, pid=member)
        for (port, address), member in sorted(found.items())
    )


def holder(address: str, port: int) -> Holder | None:
    """Which program keeps `address:port` from being listened on; None when nobody does."""
    for entry in _sockets(PROC / "self" / "net"):
        if entry.port == port and _overlap(entry.address, address):
            return _owner(entry)
    return None


def descendants(pid: int) -> set[int]:
    """A process, its children, theirs, and so on."""
    children: dict[int, list[int]] = {}
    for folder in _processes():
        try:
            with open(f"{PROC}/{folder}/stat", "rb", buffering=0) as file:  # noqa: PTH123 - speed
                stat = file.read(1024)
        except OSError:
            continue
        # the name between the brackets may itself hold brackets and spaces
        parent = int(stat[stat.rindex(b")") + 2 :].split(None, 2)[1])
        children.setdefault(parent, []).append(int(folder))
    found, waiting = {pid}, [pid]
    while waiting:
        new = [child for child in children.get(waiting.pop(), ()) if child not in found]
        found.update(new)
        waiting += new
    return found


def _processes() -> Iterator[str]:
    return (name for name in os.listdir(PROC) if name.isdigit())  # noqa: PTH208 - speed


def _inodes(pid: int | str) -> Iterator[str]:
    """The inodes of a process's sockets."""
    folder = f"{PROC}/{pid}/fd"
    try:
        numbers = os.listdir(folder)  # noqa: PTH208 - speed
    except OSError:
        return
    for number in numbers:
        try:
            to = os.readlink(f"{folder}/{number}")  # noqa: PTH115 - speed
        except OSError:
            continue
        if found := _INODE.fullmatch(to):
            yield found[1]


def _sockets(net: Path) -> Iterator[_Socket]:
    """The listening TCP sockets of a network namespace.

    The kernel lists them before all others, so that reading ends before the
    tens of thousands of closed connections of a machine under load.
    """
    for name in ("tcp", "tcp6"):
        try:
            with (net / name).open("rb") as table:
                next(table, None)
                for line in table:
                    if _LISTENING not in line:
                        break
                    words = line.split()
                    address, _, port = words[1].partition(b":")
                    yield _Socket(
                        address=_address(bytes.fromhex(address.decode())),
                        port=int(port, 16),
                        user=int(words[7]),
                        inode=words[9].decode(),
                    )
        except OSError:
            continue


def _address(raw: bytes) -> str:
    """An address as the kernel prints it: words of 32 bits in the machine's byte order."""
    words = (raw[at : at + 4] for at in range(0, len(raw), 4))
    packed = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    if len(packed) == 4:
        return socket.inet_ntop(socket.AF_INET, packed)
    if packed.startswith(bytes(10) + b"\xff\xff"):  # IPv4 through an IPv6 socket
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return socket.inet_ntop(socket.AF_INET6, packed)


def _overlap(one: str, other: str) -> bool:
    wild = ("0.0.0.0", "::", "", "*")  # noqa: S104 - compared, not bound
    return one == other or one in wild or other in wild


def _owner(entry: _Socket) -> Holder:
    for pid in _processes():
        if entry.inode in _inodes(pid):
            return Holder(pid=int(pid), command=_command(pid), user=_user(entry.user))
    return Holder(pid=None, command="", user=_user(entry.user))


def _command(pid: str) -> str:
    """The command line, without arguments that could hold a secret."""
    try:
        words = (PROC / pid / "cmdline").read_bytes().decode(errors="replace").split("\0")
        name = (PROC / pid / "comm").read_text(errors="replace").strip()
    except OSError:
        return ""
    first = Path(words[0].split(" ", 1)[0]).name if words[0] else name
    # `python3 -m http.server`, `python3 app.py`: the program's name alone says little
    rest = [word for word in words[1:3] if re.fullmatch(r"-m|[\w./-]+", word)]
    return shlex.join([first, *rest]) if first.startswith(("python", "node", "java")) else first


def _user(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def listening_ports(pid: int) -> tuple[str, ...]:
    """`address:port` of everything that listens in a process's network namespace.

    Docker's own name server, which listens in every container, is left out.
    """
    found = {(entry.port, entry.address) for entry in _sockets(PROC / str(pid) / "net")}
    return tuple(f"{a}:{p}" for p, a in sorted(found) if a != "127.0.0.11")
