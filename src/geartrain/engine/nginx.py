"""A running nginx, seen from outside: its workers, and what it answers.

A reload is asynchronous: the master starts new workers and tells the old ones
to finish (nginx.org, "Controlling nginx"). An old worker renames itself, and
ends when its last request has.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from geartrain.app.model import App
from geartrain.app.published import TLS_PORT
from geartrain.app.routes import Site
from geartrain.engine.descent import children, state

AGENT = "geartrain"  # what it calls itself when it asks, so that no visitor is seen in it
LEAVING = b"is shutting down"  # what a worker calls itself from then on


def workers(master: int) -> list[int]:
    """The worker processes of an nginx."""
    return [pid for pid in children(master) if state(pid) not in ("", "Z")]


def leaving(pids: Sequence[int]) -> list[int]:
    """Those workers that finish old connections and take no new ones."""
    return [pid for pid in pids if LEAVING in _title(pid)]


def wait_until_left(old: Sequence[int], end: float) -> None:
    """Wait until no old worker takes new connections, at most until a moment.

    nginx lets the old workers go on for 100 ms beside the new ones; until then
    a new connection may still be answered by the old release.
    """
    while time.monotonic() < end:
        if all(not title or LEAVING in title for title in map(_title, old)):
            return
        time.sleep(0.005)


def _title(pid: int) -> bytes:
    """What a process calls itself; nothing once it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def generation(address: str) -> str:
    """The name of the configuration that answers at a private address, or ""."""
    ip, _, port = address.rpartition(":")
    try:
        return ask("GET", ip, int(port), "/generation", "localhost")[1].strip()
    except OSError:
        return ""


def openssl(said: str) -> tuple[int, int]:
    """The version of OpenSSL that an nginx runs with, by its `-V`; (0, 0) for another library."""
    found = re.findall(r"(?:built|running) with OpenSSL (\d+)\.(\d+)", said)
    return (int(found[-1][0]), int(found[-1][1])) if found else (0, 0)


def verify(app: App, sites: Sequence[Site], listen: Mapping[int, Sequence[str]]) -> str:
    """Ask every route that a service answers; only nginx's own complaints count.

    The health path where a route covers it, else a page that no app has:
    a visit that nobody made would show in what the app counts.

    Args:
        app: the app.
        sites: what it answers on.
        listen: a site's port → addresses, of which the first is asked.

    Returns:
        What is wrong between nginx and the app, or "".
    """
    for site in sites:
        name = site.domains[0].replace("*", "www") if site.domains else "localhost"
        for place in site.locations:
            if place.service is None:
                continue
            path = app.services[place.service].gear.health
            if path is None or place.strip or not path.startswith(place.path):
                path = f"{place.path.rstrip('/')}/gear-verify"
            tls = site.port == TLS_PORT
            if wrong := unreachable(listen[site.port][0], path, name, tls=tls):
                return wrong
    return ""


def unreachable(address: str, path: str, name: str, *, tls: bool = False) -> str:
    """Ask for a page, as a client would, and read how its answer begins.

    With OPTIONS, which asks for nothing (RFC 9110, 9.3.7): an app would count a GET as a visit.
    To HEAD some apps send a body all the same (9.3.2), and nginx would take it for the beginning
    of what the next visitor is answered on that connection.

    Args:
        address: public `address:port` of nginx.
        path: what is asked for.
        name: host name that it is asked under.
        tls: ask over TLS; whoever signed its certificate.

    Returns:
        What is wrong between nginx and the app, or "". Only nginx's own
        words count: what the app says of itself, and how soon, is the app's business.
    """
    ip, _, port = address.rpartition(":")
    try:
        status, _ = ask("OPTIONS", ip, int(port), path, name, most=64, tls=tls)
    except TimeoutError:
        return ""
    except OSError:
        return f"nothing answers on {address}"
    if status in (502, 504):
        return f"OPTIONS {path} through nginx answers {status}: it does not reach the new instances"
    return "" if status else f"nothing answers on {address}"


def ask(
    method: str,
    ip: str,
    port: int,
    path: str,
    name: str,
    most: int = 65536,
    within: float = 2.0,
    *,
    tls: bool = False,
) -> tuple[int, str]:
    """Status (0: no answer) and body of a page, of which `most` bytes are read.

    Raises:
        TimeoutError: for `within` seconds nothing came.
        OSError: there is no connection.
    """
    answer = b""
    with socket.create_connection((ip.strip("[]"), port), timeout=within) as plain:
        link = _encrypted(plain, name) if tls else plain
        head = f"{method} {path} HTTP/1.0\r\nHost: {name}\r\nUser-Agent: {AGENT}\r\n\r\n"
        link.sendall(head.encode("latin-1"))
        while len(answer) < most and (data := link.recv(4096)):
            answer += data
    said, _, body = answer.partition(b"\r\n\r\n")
    words = said.split(None, 2)
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    return status, body.decode(errors="replace")


def _encrypted(link: socket.socket, name: str) -> socket.socket:
    import ssl

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # it is this machine's own nginx that is asked
    return context.wrap_socket(link, server_hostname=name)
