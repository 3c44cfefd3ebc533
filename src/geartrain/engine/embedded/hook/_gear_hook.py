"""Makes a Python program keep to its instance's own address, and know the names of services.

A program that listens on every address (`0.0.0.0`, "" or `::`) listens on
`GEAR_ADDRESS` instead, so that two releases of it run side by side on one port.
Names in `GEAR_NAMES` (`name=address name=address`) resolve to those addresses.
What resolves or listens in C or Rust is not reached; its settings are changed
in the environment instead.

Nothing is imported here: `socket` and `uvloop` are changed when the program
itself imports them, so that a program without them pays nothing.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # `typing` itself costs more than all the rest
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

ADDRESS = os.environ.get("GEAR_ADDRESS", "")
NAMES = dict(pair.split("=", 1) for pair in os.environ.get("GEAR_NAMES", "").split() if "=" in pair)
ANY = ("0.0.0.0", "", "::", "0", "::0")  # noqa: S104 - what is replaced


def install() -> None:
    """Watch for the modules to change; those that are there already are changed now."""
    if not ADDRESS and not NAMES:
        return
    for name in tuple(CHANGES):
        if name in sys.modules:
            _safely(CHANGES.pop(name), sys.modules[name])
    sys.meta_path.insert(0, _Finder())


class _Finder:
    """Finds nothing itself; changes a module after its own loader has run it."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name not in CHANGES:
            return None
        for finder in sys.meta_path:
            if finder is self:
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                _watch(spec, name)
                return spec
        return None


def _watch(spec: Any, name: str) -> None:
    loader = spec.loader
    run = getattr(loader, "exec_module", None)
    if run is None or isinstance(loader, type):
        return

    def exec_module(module: Any) -> None:
        run(module)
        change = CHANGES.pop(name, None)  # asking for a spec alone must not use it up
        if change is not None:
            _safely(change, module)

    try:  # noqa: SIM105 - without `contextlib`, which costs an import
        loader.exec_module = exec_module
    except Exception:  # noqa: S110 - a loader that cannot be watched is left alone
        pass


def _safely(change: Callable[[Any], None], module: Any) -> None:
    try:  # noqa: SIM105
        change(module)
    except Exception:  # noqa: S110 - the module as it was beats none
        pass


def _text(host: Any) -> Any:
    if isinstance(host, (bytes, bytearray)):
        return bytes(host).decode("ascii", "replace")
    return host


def _named(host: Any) -> Any:
    """The address of a service's name; anything else as it is."""
    text = _text(host)
    return NAMES.get(text, host) if isinstance(text, str) else host


def _change_socket(socket: Any) -> None:
    real = socket.socket
    real_bind = real.bind

    def bind(self: Any, address: Any, /) -> Any:
        return real_bind(self, _own(socket, self, address))

    bind.__doc__ = real_bind.__doc__
    if ADDRESS:
        real.bind = bind
    _change_lookups(socket)


def _own(socket: Any, sock: Any, address: Any) -> Any:
    """The address to bind instead of a wildcard with a port."""
    try:
        if (
            sock.type != socket.SOCK_STREAM
            or not isinstance(address, tuple)
            or _text(address[0]) not in ANY
            or not address[1]
        ):
            return address
        if sock.family == socket.AF_INET:
            return (ADDRESS, address[1])
        if sock.family == socket.AF_INET6:
            # an IPv6 socket takes IPv4 connections at the mapped address (RFC 4291, 2.5.5.2)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            return ("::ffff:" + ADDRESS, address[1], *address[2:])
    except Exception:  # noqa: S110 - bind as asked
        pass
    return address


def _change_lookups(socket: Any) -> None:
    getaddrinfo = socket.getaddrinfo

    def own_getaddrinfo(
        host: Any,
        port: Any,
        family: int = 0,
        type: int = 0,  # noqa: A002 - as in `socket`
        proto: int = 0,
        flags: int = 0,
    ) -> Any:
        passive = ADDRESS and flags & socket.AI_PASSIVE and type != socket.SOCK_DGRAM
        if passive and (host is None or _text(host) in ("", "0.0.0.0")) and port:  # noqa: S104
            # one answer only: the IPv4 and the IPv6 wildcard would meet at one address
            host, family = ADDRESS, (family if family == socket.AF_INET6 else socket.AF_INET)
            if family == socket.AF_INET6:
                host = "::ffff:" + ADDRESS
        elif _named(host) is not host:
            host = _named(host)
            if family == socket.AF_INET6:
                host, flags = "::ffff:" + host, flags & ~socket.AI_NUMERICHOST
        return getaddrinfo(host, port, family, type, proto, flags)

    own_getaddrinfo.__doc__ = getaddrinfo.__doc__
    socket.getaddrinfo = own_getaddrinfo
    for name in ("gethostbyname", "gethostbyname_ex"):
        _first_named(socket, name)
    connect = socket.socket.connect
    connect_ex = socket.socket.connect_ex

    def own_connect(self: Any, address: Any, /) -> Any:
        return connect(self, _reached(socket, self, address))

    def own_connect_ex(self: Any, address: Any, /) -> Any:
        return connect_ex(self, _reached(socket, self, address))

    if NAMES:
        socket.socket.connect = own_connect
        socket.socket.connect_ex = own_connect_ex


def _first_named(module: Any, name: str) -> None:
    real = getattr(module, name)

    def own(host: Any) -> Any:
        return real(_named(host))

    own.__name__ = name
    setattr(module, name, own)


def _reached(socket: Any, sock: Any, address: Any) -> Any:
    """`sock.connect(("redis", 6379))` looks the name up in C."""
    if sock.family == socket.AF_INET and isinstance(address, tuple) and address:
        return (_named(address[0]), *address[1:])
    return address


def _change_uvloop(uvloop: Any) -> None:
    """uvloop resolves in C; its `Loop` is a Python class over it."""
    loop = uvloop.Loop
    connection, server, lookup = loop.create_connection, loop.create_server, loop.getaddrinfo

    async def create_connection(
        self: Any, protocol_factory: Any, host: Any = None, port: Any = None, **rest: Any
    ) -> Any:
        to = _named(host)
        if to is not host and rest.get("ssl") and rest.get("server_hostname") is None:
            rest["server_hostname"] = host
        return await connection(self, protocol_factory, to, port, **rest)

    async def create_server(
        self: Any,
        protocol_factory: Any,
        host: Any = None,
        port: Any = None,
        *args: Any,
        **rest: Any,
    ) -> Any:
        if (
            ADDRESS
            and port
            and rest.get("sock") is None
            and (host is None or (isinstance(host, str) and host in ANY))
        ):
            host = ADDRESS
        return await server(self, protocol_factory, host, port, *args, **rest)

    async def getaddrinfo(self: Any, host: Any, port: Any, **rest: Any) -> Any:
        return await lookup(self, _named(host), port, **rest)

    loop.create_connection = create_connection
    loop.create_server = create_server
    loop.getaddrinfo = getaddrinfo


CHANGES: dict[str, Callable[[Any], None]] = {"socket": _change_socket, "uvloop": _change_uvloop}
