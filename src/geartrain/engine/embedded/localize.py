"""A container's command and environment, changed to run on this machine. Pure.

Every instance has a loopback address of its own (127.x.y.z) and keeps its
standard port. Three things in what an author writes do not fit that: a wildcard
address to listen on, the name of another service, and a path inside the image.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from geartrain.engine.embedded.names import Names
from geartrain.engine.embedded.paths import Paths

SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "busybox"})

_ANY4 = re.compile(r"(?<![\w.])0\.0\.0\.0(?![\w.]|/\d)")  # `0.0.0.0/0` is a network, not an address
_ANY6 = re.compile(r"(?<![\w:\]])\[::\](?=:\d|$|[\s\"'])")
_BARE6 = re.compile(
    r"((?:--?[\w.-]*(?:host|bind|address|addr|listen|ip))(?:=|\s+)[\"']?)::(?=[\s\"']|$)"
)
_NO_HOST = re.compile(
    r"((?<![\w-])(?:-b|--bind|--listen|--address|--addr|--http|--http-socket)"
    r"(?:=|\s+)?[\"']?)(?=:\d{1,5}(?:[\s\"',]|$))"
)
_BIND_OPTION = re.compile(r"-b|--?[\w.-]*(?:bind|host|listen|address|addr|http|http-socket|ip)")
_RUNSERVER = re.compile(
    r"(\brunserver(?:_plus)?[ \t]+)(?:(?:0|localhost|127\.0\.0\.1):)?(?=\d{1,5}(?:[\s;&|\"')]|$))"
)
_RUNSERVER_WORD = re.compile(r"(?:(?:0|localhost|127\.0\.0\.1):)?(\d{1,5})$")
# variables that say who may call, not where to listen
_ABOUT_OTHERS = re.compile(r"ALLOW|TRUST|CORS|ORIGIN|PROX|CIDR|NETWORK|DENY|BLOCK")
_LISTENS = re.compile(r"(?:^|_)(?:HOST|BIND|ADDR|ADDRESS|LISTEN|IP|INTERFACE)$|GUNICORN_CMD_ARGS$")
# what maps paths itself, or already holds this machine's own
_OWN = frozenset({"PATH", "PYTHONPATH", "VIRTUAL_ENV", "GEAR_ADDRESS", "GEAR_NAMES"})


def localize(
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    address: str,
    port: int | None,
    names: Mapping[str, str],
    paths: Mapping[str, str],
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Fit a command and its environment to an instance's own address.

    Applying it twice changes nothing more. Text without a wildcard address, a
    service's name in a host's place, or a mapped path stays as it is.

    Args:
        argv: the command; the line of `sh -c LINE` is changed textually, and
            only ever gets digits, dots and shell-safe paths.
        env: its environment.
        address: the instance's own loopback address.
        port: where it is expected to answer; None for a worker.
        names: service name or alias → address.
        paths: path in the image → path here; the longest prefix wins.

    Returns:
        The command, and the environment with `HOST`, `PORT`, the like of
        `UVICORN_HOST`, and `GEAR_ADDRESS` and `GEAR_NAMES` for the start-up hook.

    Raises:
        ValueError: an address is not one.
    """
    for value in (address, *names.values()):
        ipaddress.IPv4Address(value)
    hosts, files = Names(names), Paths(paths)
    command = _command(tuple(argv), address, port, hosts, files)
    changed = {name: _variable(name, value, address, hosts, files) for name, value in env.items()}
    for name, value in _defaults(address, port).items():
        changed.setdefault(name, value)
    changed["GEAR_ADDRESS"] = address
    changed["GEAR_NAMES"] = " ".join(f"{name}={names[name]}" for name in sorted(names))
    return command, changed


def _defaults(address: str, port: int | None) -> dict[str, str]:
    """Variables by which common servers are told where to listen.

    gunicorn needs none: it takes `PORT`, and the hook gives it the address.
    """
    found = dict.fromkeys(
        ("HOST", "UVICORN_HOST", "FLASK_RUN_HOST", "GRANIAN_HOST", "STREAMLIT_SERVER_ADDRESS"),
        address,
    )
    if port is not None:
        found |= dict.fromkeys(
            ("PORT", "UVICORN_PORT", "FLASK_RUN_PORT", "GRANIAN_PORT", "STREAMLIT_SERVER_PORT"),
            str(port),
        )
    return found


def _listen(text: str, address: str) -> str:
    """Wildcard addresses anywhere in a text become `address`."""
    text = _ANY4.sub(address, text)
    text = _ANY6.sub(address, text)
    text = _BARE6.sub(rf"\g<1>{address}", text)
    return _NO_HOST.sub(rf"\g<1>{address}", text)


def _command(
    argv: tuple[str, ...], address: str, port: int | None, hosts: Names, files: Paths
) -> tuple[str, ...]:
    line_at = _shell_line(argv)
    out: list[str] = []
    option = ""
    for index, word in enumerate(argv):
        if index == line_at:
            line = _RUNSERVER.sub(rf"\g<1>{address}:", _listen(word, address))
            out.append(files.in_shell(hosts.in_line(line)))
        else:
            out.append(_word(word, option, address, hosts, files))
        option = word if word.startswith("-") and "=" not in word else ""
    return tuple(out) if line_at >= 0 else _servers(out, address, port)


def _shell_line(argv: tuple[str, ...]) -> int:
    """Where the line of `sh -c LINE` is, or -1."""
    if not argv or _base(argv[0]) not in SHELLS:
        return -1
    for index, word in enumerate(argv[1:-1], start=1):
        if re.fullmatch(r"-[a-z]*c", word):
            return index + 1
        if not word.startswith("-") and word not in SHELLS:
            return -1
    return -1


def _base(word: str) -> str:
    return word.rpartition("/")[2]


def _word(word: str, option: str, address: str, hosts: Names, files: Paths) -> str:
    if option and _BIND_OPTION.fullmatch(option):
        if word in ("::", "*"):
            return address
        if re.fullmatch(r":\d{1,5}", word):
            return address + word
    word = _listen(word, address)
    word = hosts.in_word(word, option)
    return files.in_argument(word, option)


def _servers(argv: list[str], address: str, port: int | None) -> tuple[str, ...]:
    """Servers that no environment variable tells where to listen get it as arguments."""
    words = [_base(word) for word in argv]
    django = any(name in words for name in ("manage.py", "django-admin", "django"))
    for name in ("runserver", "runserver_plus"):
        if django and name in words:
            return _runserver(argv, words.index(name), address, port)
    if port is None:
        return tuple(argv)
    has = {word.split("=", 1)[0] for word in argv if word.startswith("-")}
    fastapi = {("fastapi", "run"), ("fastapi", "dev")} & set(pairwise(words))
    if fastapi and not has & {"--port", "-p"}:
        return (*argv, "--port", str(port))
    if "hypercorn" in words[:3] and not has & {"-b", "--bind", "-c", "--config"}:
        return (*argv, "--bind", f"{address}:{port}")
    if "daphne" in words[:3] and not has & {"-b", "--bind", "-p", "--port", "-e", "-u", "--fd"}:
        return (*argv[:-1], "-b", address, "-p", str(port), argv[-1])
    return tuple(argv)


def _runserver(argv: list[str], at: int, address: str, port: int | None) -> tuple[str, ...]:
    """`manage.py runserver [PORT | ADDRESS:PORT]`, whose default is 127.0.0.1:8000."""
    for index in range(at + 1, len(argv)):
        if found := _RUNSERVER_WORD.fullmatch(argv[index]):
            return (*argv[:index], f"{address}:{found[1]}", *argv[index + 1 :])
        if re.fullmatch(r"[\w.\[\]:]+:\d{1,5}", argv[index]):
            return tuple(argv)
    return (*argv, f"{address}:{port or 8000}")


def _variable(name: str, value: str, address: str, hosts: Names, files: Paths) -> str:
    if name in _OWN:
        return value
    upper = name.upper()
    if not _ABOUT_OTHERS.search(upper):
        if _LISTENS.search(upper) and value in ("::", "*"):
            return address
        if _LISTENS.search(upper) and re.fullmatch(r":\d{1,5}", value):
            return address + value
        value = _listen(value, address)
    return files.in_variable(upper, hosts.in_variable(upper, value))
