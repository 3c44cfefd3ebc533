"""Whether an instance does what it should, asked from outside at its own address.

How is written on its container as a label, so that whoever sees the container
can ask: `http:8000:/health`, `tcp:8000`, `command` (Docker's own health state
counts), `settle` (it runs and goes on running), `exit` (it ends well),
`schedule`, `postgres`, `redis`.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

from geartrain.app.health import local_url
from geartrain.app.model import Role, Service
from geartrain.engine.nginx import ask

SETTLES = 0.5  # seconds that a worker must stay
QUICK = 2.0  # seconds for an answer
POSTGRES_STARTS = "PostgreSQL is starting up"
REDIS_STARTS = "LOADING"  # what it answers while it reads its data
STARTING_UP = b"57P03"  # cannot_connect_now (PostgreSQL manual, appendix A)


def label(service: Service) -> str:
    """How the readiness of a service's instances is found out.

    `x-gear.health` comes first, then the Compose file's healthcheck: one that
    only asks a local URL is asked from outside, any other one is Docker's to
    run. Without either, a service with a port is ready when it accepts a
    connection and stays, one without when it stays.
    """
    match service.role:
        case Role.DATABASE:
            return "postgres"
        case Role.CACHE:
            return "redis"
        case Role.JOB:
            return "schedule"
    if service.one_shot:
        return "exit"
    if service.gear.health and service.port:
        return f"http:{service.port}:{service.gear.health}"
    if check := service.healthcheck:
        if url := local_url(check.test):
            return f"http:{url[0] or service.port or 80}:{url[1]}"
        return "command"
    if service.port and service.role in (Role.WEB, Role.EDGE):
        return f"tcp:{service.port}"
    return "settle"


def attempt(how: str, address: str, within: float = QUICK) -> str:
    """Ask once.

    Args:
        how: the label of the container.
        address: where it is.
        within: seconds for an answer.

    Returns:
        "" when it is ready, else what was seen instead. A way of asking that
        needs no connection is always content.
    """
    kind, _, rest = how.partition(":")
    port, _, path = rest.partition(":")
    ways: dict[str, Callable[[], str]] = {
        "http": lambda: _http(address, int(port), path, within),
        "tcp": lambda: _tcp(address, int(port), within),
        "postgres": lambda: _postgres(address, within),
        "redis": lambda: _redis(address, within),
    }
    if kind not in ways:
        return ""
    number = {"postgres": "5432", "redis": "6379"}.get(kind, port)
    try:
        return ways[kind]()
    except TimeoutError:
        asked = f"GET {path} on port {number}" if kind == "http" else f"port {number}"
        return f"no answer to {asked} within {within:g} s"
    except OSError:
        return f"nothing answers on port {number}"


def starts(trouble: str) -> bool:
    """Whether a data service says itself that it is still starting: it reads its data again."""
    return trouble == POSTGRES_STARTS or REDIS_STARTS in trouble


def _http(address: str, port: int, path: str, within: float) -> str:
    status, _ = ask("GET", address, port, path, "localhost", most=64, within=within)
    if 200 <= status < 400:
        return ""
    return f"GET {path} on port {port} answers {status or 'no HTTP'}"


def _tcp(address: str, port: int, within: float) -> str:
    with socket.create_connection((address, port), timeout=within):
        return ""


def _postgres(address: str, within: float) -> str:
    """Begin to log in; a server that still starts up says so at once (protocol 3.0)."""
    words = b"user\0gear_probe\0database\0postgres\0\0"
    hello = struct.pack("!II", 8 + len(words), 196608) + words
    with socket.create_connection((address, 5432), timeout=within) as link:
        link.sendall(hello)
        said = link.recv(1024)
    if not said or (said[:1] == b"E" and STARTING_UP in said):
        return POSTGRES_STARTS
    return ""


def _redis(address: str, within: float) -> str:
    with socket.create_connection((address, 6379), timeout=within) as link:
        link.sendall(b"*1\r\n$4\r\nPING\r\n")
        said = link.recv(200)
    # It also answers before anybody has logged in, and says that it wants a password.
    ready = said.startswith((b"+PONG", b"-NOAUTH", b"-NOPERM"))
    return "" if ready else f"Redis answers {said.decode(errors='replace').strip()!r}"
