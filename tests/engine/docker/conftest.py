"""A host in Docker with small apps on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from geartrain.engine.docker.host import DockerHost
from tests.engine.docker.hosts import clean
from tests.engine.docker.releasing import Shop
from tests.ports import free_port

# Answers with what it is asked for: a variable, a name's address, or who it is.
PROGRAM = dedent(
    """
    import http.server, os, socket, sys, time, urllib.parse

    how, port = sys.argv[1], int(sys.argv[2])
    if how == "eats":
        eaten = []
        while True:
            eaten.append(b"x" * 2**20)


    class Answer(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            kind, _, rest = urllib.parse.unquote(self.path).strip("/").partition("/")
            try:
                body = getattr(self, kind or "who")(rest)
                self.send_response(200)
            except Exception as error:
                body = repr(error)
                self.send_response(500)
            data = body.encode()
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_HEAD = do_GET

        def who(self, _):
            caller = self.headers["X-Real-IP"]
            return f"{os.environ['GEAR_APP']} {os.environ['GEAR_RELEASE']} {caller}"

        def env(self, name):
            return os.environ[name]

        def name(self, name):
            return socket.gethostbyname(name)

        def ask(self, where):
            host, _, port = where.partition(":")
            with socket.create_connection((host, int(port)), timeout=2) as link:
                link.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
                said = b""
                while data := link.recv(1000):
                    said += data
            return said.decode().splitlines()[-1]

        def identity(self, _):
            caps = [line for line in open("/proc/self/status") if line.startswith(("Cap", "NoNew"))]
            return "".join(caps)

        def log_message(self, *_):
            pass


    http.server.ThreadingHTTPServer(("0.0.0.0", port), Answer).serve_forever()
    """
)
DOCKERFILE = "FROM python:3.12-slim\nWORKDIR /app\nCOPY program.py .\n"


class Place:
    """A host, and where apps for it are written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.host = DockerHost(folder / "host")
        self.host.create({"80": self.port})

    def app(self, name: str, compose: str, **files: str) -> Shop:
        """An app whose services are `build: .` with this Compose file."""
        source = self.folder / name
        source.mkdir()
        made = {"program.py": PROGRAM, "Dockerfile": DOCKERFILE, **files}
        for path, text in (made | {"docker-compose.yml": dedent(compose)}).items():
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_text(text)
        return Shop(self.host, source, name)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    try:
        yield made
    finally:
        clean(made.host)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Place]]:
    """Hosts that a module's tests share."""
    every: list[Place] = []

    def make() -> Place:
        every.append(Place(tmp_path_factory.mktemp("host")))
        return every[-1]

    try:
        yield make
    finally:
        for made in every:
            clean(made.host)
