"""The port on which a service answers."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from geartrain.app.images import answering
from geartrain.app.model import App, Role, Service

DEFAULT_PORT = 8080
EDGE_PORT = 80
STANDARD = {Role.DATABASE: 5432, Role.CACHE: 6379}
SHELLS = ("sh", "bash", "ash", "dash")

# What well-known servers listen on when their command names no port.
SERVERS = {
    "uvicorn": 8000,
    "gunicorn": 8000,
    "granian": 8000,
    "hypercorn": 8000,
    "daphne": 8000,
    "waitress-serve": 8080,
    "runserver": 8000,
    "flask run": 5000,
    "fastapi run": 8000,
    "fastapi dev": 8000,
    "streamlit run": 8501,
    "rails server": 3000,
    "rails s": 3000,
    "puma": 9292,
    "next start": 3000,
    "next dev": 3000,
    "php -S": 8000,
    "http.server": 8000,
}
_PORT_OPTIONS = ("--port", "-p", "--server.port", "--http-port", "-P")
_BIND_OPTIONS = ("--bind", "-b", "--host", "-H", "--listen", "--address", "-S")


def with_ports(app: App, called: Mapping[str, int] | None = None) -> App:
    """Give every service that is reached over the network its port.

    Args:
        app: the app, its roles known.
        called: the ports on which services call each other, see `callers`.
    """
    called = called or {}
    services = {n: replace(s, port=port_of(s, called.get(n))) for n, s in app.services.items()}
    return replace(app, services=services)


def port_of(service: Service, called: int | None = None) -> int | None:
    """The port on which a service answers, None when nobody connects to it.

    In this order: `x-gear.port`, `ports`, the command, the variable `PORT`,
    `expose`, the Dockerfile's `EXPOSE`; for a web service at last the port on
    which another service calls it, and 8080.
    """
    if service.gear.port is not None:
        return service.gear.port
    if service.role is Role.EDGE:
        targets = [port.target for port in service.ports if port.protocol == "tcp"]
        return targets[0] if targets and EDGE_PORT not in targets else EDGE_PORT
    if service.role in STANDARD:
        return STANDARD[service.role]
    if service.role in (Role.WORKER, Role.JOB) or service.one_shot:
        return None
    tcp = [port.target for port in service.ports if port.protocol == "tcp"]
    if tcp:
        served = [port.target for port in answering(service.ports)]
        return served[0] if served and service.role is Role.WEB else tcp[0]
    said = command_port(command_of(service)) or _number(
        service.environment.get("PORT") or service.built.environment.get("PORT") or ""
    )
    if said:
        return said
    for listed in (service.expose, service.built.ports):
        if listed:
            return listed[0]
    return (called or DEFAULT_PORT) if service.role is Role.WEB else None


def command_of(service: Service) -> tuple[str, ...]:
    """The words that run: entry point and command, Compose's own before the image's."""
    if service.entrypoint is not None:
        # As Docker does it: a new entry point drops the image's command.
        return service.entrypoint + (service.command or ())
    command = service.built.command if service.command is None else service.command
    return service.built.entrypoint + command


def command_port(words: Sequence[str]) -> int | None:
    """The port that a command names, or that its well-known server uses.

    >>> command_port(["gunicorn", "-b", "0.0.0.0:9000", "shop.wsgi"])
    9000
    """
    flat = _flat(words)
    for index, word in enumerate(flat):
        name, equals, value = word.partition("=")
        if not equals:
            value = flat[index + 1] if index + 1 < len(flat) else ""
        port = None
        if name in _PORT_OPTIONS:
            port = _number(value)
        elif name in _BIND_OPTIONS:
            port = _of_address(value)
        elif word.startswith("-b") and ":" in word and not word.startswith("--"):
            port = _of_address(word[2:])
        elif name == "runserver" or (index and flat[index - 1] == "http.server"):
            port = _of_address(value) or _number(value) or _number(word)
        if port:
            return port
    return _server_port(flat)


def _server_port(flat: Sequence[str]) -> int | None:
    names = [word.rsplit("/", 1)[-1] for word in flat]
    for index, name in enumerate(names):
        pair = f"{name} {names[index + 1]}" if index + 1 < len(names) else name
        for known in (name, pair):
            if known in SERVERS:
                return SERVERS[known]
    return None


def _flat(words: Sequence[str]) -> list[str]:
    """The words of a command, those of `sh -c "..."` among them."""
    found: list[str] = []
    for index, word in enumerate(words):
        before = [w.rsplit("/", 1)[-1] for w in words[:index]]
        if index >= 2 and words[index - 1].endswith("c") and before[-2] in SHELLS:
            try:
                found += shlex.split(word, comments=True)
            except ValueError:
                found += word.split()
        else:
            found.append(word)
    return found


def _of_address(text: str) -> int | None:
    return _number(text.rsplit(":", 1)[1]) if ":" in text else None


def _number(text: str) -> int | None:
    """A port from text; `${PORT:-8000}` in a shell line means its default."""
    word = text.strip("\"'")
    if word.startswith("${") and word.endswith("}") and ":-" in word:
        word = word[2:-1].split(":-", 1)[1]
    if word.isascii() and word.isdecimal() and len(word) <= 5 and 1 <= int(word) <= 65535:
        return int(word)
    return None
