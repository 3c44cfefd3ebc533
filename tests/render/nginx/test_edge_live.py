"""What a caller sees of the edge, through a really running nginx."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from msgspec import structs

from geartrain.app.model import App
from geartrain.app.policy import Route
from geartrain.app.routes import sites
from geartrain.render.nginx.binding import Binding
from geartrain.render.nginx.edge import render_edge
from tests.ports import free_port

from .apps import app, edge, web
from .live import Backend, ask, backend, running, write

pytestmark = pytest.mark.programs


@contextmanager
def serving(
    made: App, servers: dict[str, tuple[str, ...]], folder: Path, **names: tuple[str, ...]
) -> Iterator[tuple[int, int]]:
    """Run the edge of an app with one site; gives its public and its admin port."""
    port, admin = free_port(), free_port()
    bound = binding(made, servers, folder, port, admin, names.get("names", ()))
    with running(render_edge(made, sites(made), bound), folder / "run", (port, admin)):
        yield port, admin


def binding(
    made: App,
    servers: dict[str, tuple[str, ...]],
    folder: Path,
    port: int,
    admin: int,
    names: tuple[str, ...] = (),
) -> Binding:
    return Binding(
        listen={site.port: (f"127.0.0.1:{port}",) for site in sites(made)},
        servers=servers,
        root=str(folder / "release"),
        folder=str(folder / "run"),
        admin=f"127.0.0.1:{admin}",
        generation="gen-7",
        user="root" if os.geteuid() == 0 else None,
        names=names,
    )


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str, str], None]:
    def put_file(name: str, text: str) -> None:
        path = tmp_path / "release" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return put_file


def one(here: Backend) -> dict[str, tuple[str, ...]]:
    return {"web": (here.address,)}


def test_generation_and_health(tmp_path: Path) -> None:
    with backend() as here, serving(app(edge(), web()), one(here), tmp_path) as (port, admin):
        assert ask(admin, "/generation").text == "gen-7\n"
        assert ask(admin, "/health").status == 200
        assert "GET /generation" in ask(port, "/generation").text


def test_routes_strip_and_segments(tmp_path: Path) -> None:
    made = app(
        edge(),
        web("web", routes=["/"]),
        web("api", routes=[Route(path="/api", strip=True), "/raw/"]),
    )
    with backend() as first, backend() as api:
        servers = {"web": (first.address,), "api": (api.address,)}
        with serving(made, servers, tmp_path) as (port, _):
            assert ask(port, "/api/users?a=1").text.startswith("GET /users?a=1\n")
            assert "X-Forwarded-Prefix: /api\n" in ask(port, "/api/users").text
            assert ask(port, "/api").text.startswith("GET /\n")
            assert ask(port, "/api?a=1").text.startswith("GET /?a=1\n")
            assert ask(port, "/api/a%2Fb%20c?d=%2F").text.startswith("GET /a%2Fb%20c?d=%2F\n")
            assert ask(port, "/x/..%2Fapi/a").status == 404
            assert ask(port, "/raw/a%2Fb").text.startswith("GET /raw/a%2Fb\n")
            assert ask(port, "/apiary").text.startswith("GET /apiary\n")
            stream = ask(port, "/api/events?x=1", Accept="text/event-stream").text
            assert stream.startswith("GET /events?x=1\n")
        assert first.seen == ["GET /apiary"]


def test_what_strangers_say_about_themselves_is_replaced(tmp_path: Path) -> None:
    with backend() as here, serving(app(edge(), web()), one(here), tmp_path) as (port, _):
        got = ask(
            port,
            X_Forwarded_For="1.2.3.4",
            X_Forwarded_Host="evil",
            Forwarded="for=1.2.3.4",
            X_Forwarded_Prefix="/evil",
            X_Forwarded_Port="port-6",
            Upgrade="h2c",
            Connection="Upgrade",
        ).text
        assert "1.2.3.4" not in got
        assert "evil" not in got
        assert "h2c" not in got
        assert "port-6" not in got
        assert "X-Forwarded-For: 127.0.0.1\n" in got
        assert "X-Forwarded-Proto: http\n" in got
        assert f"X-Forwarded-Host: 127.0.0.1:{port}\n" in got
        assert f"Host: 127.0.0.1:{port}\n" in got


def test_request_ids(tmp_path: Path) -> None:
    with backend() as here, serving(app(edge(), web()), one(here), tmp_path) as (port, _):
        kept = ask(port, X_Request_ID="abc-12345678")
        assert kept.headers["X-Request-ID"] == "abc-12345678"
        assert "X-Request-ID: abc-12345678\n" in kept.text
        made = ask(port, X_Request_ID='bad"; id')
        assert len(made.headers["X-Request-ID"]) == 32
        assert f"X-Request-ID: {made.headers['X-Request-ID']}\n" in made.text


def test_security_headers_give_way_to_the_apps_own(tmp_path: Path) -> None:
    def framed(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(404)
        handler.send_header("X-Frame-Options", "DENY")
        handler.send_header("X-Content-Type-Options", "nosniff")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with backend(framed) as here, serving(app(edge(), web()), one(here), tmp_path) as (port, _):
        got = ask(port)
        assert got.headers.get_all("X-Frame-Options") == ["DENY"]
        assert got.headers.get_all("X-Content-Type-Options") == ["nosniff"]
        assert "/" not in got.headers["Server"]


def test_static_files(tmp_path: Path, put: Callable[[str, str], None]) -> None:
    put("dist/index.html", "<p>home</p>")
    put("dist/app.0a1b2c3d.js", "1")
    put("dist/.env", "SECRET=1")
    put("media/pic.txt", "pic")
    (tmp_path / "release" / "dist" / "leak").symlink_to("/etc/passwd")
    made = app(edge(static={"/": "dist", "/media": "media"}))
    with serving(made, {}, tmp_path) as (port, _):
        home = ask(port, "/")
        assert home.text == "<p>home</p>"
        assert home.headers["Content-Type"] == "text/html; charset=utf-8"
        assert home.headers["Cache-Control"] == "no-cache"
        assert home.headers["X-Content-Type-Options"] == "nosniff"
        assert ask(port, "/", If_None_Match=home.headers["ETag"]).status == 304
        assert "immutable" in ask(port, "/app.0a1b2c3d.js").headers["Cache-Control"]
        assert ask(port, "/media/pic.txt").text == "pic"
        assert ask(port, "/media").headers["Location"] == "/media/"
        assert ask(port, "/.env").status == 404
        assert ask(port, "/leak").status == 403
        assert ask(port, "/media../dist/.env").status in (400, 404)
        assert ask(port, "/nothing").status == 404


def test_files_win_and_the_service_has_the_rest(
    tmp_path: Path, put: Callable[[str, str], None]
) -> None:
    put("dist/index.html", "home")
    made = app(edge(static={"/": "dist"}), web())
    with backend() as here, serving(made, one(here), tmp_path) as (port, _):
        assert ask(port, "/").text == "home"
        assert ask(port, "/index.html").text == "home"
        assert ask(port, "/api/x?y=1").text.startswith("GET /api/x?y=1\n")
        assert ask(port, "/index.html", "POST", "a").text.startswith("POST /index.html\n")
        assert ask(port, "/s", Accept="text/event-stream").text.startswith("GET /s\n")


def test_unknown_hosts_are_turned_away(tmp_path: Path) -> None:
    made = app(edge(), web(), domains=["shop.example", "*.shop.example"])
    with (
        backend() as here,
        serving(made, one(here), tmp_path, names=("localhost",)) as (port, _),
    ):
        assert ask(port, Host="shop.example").status == 200
        assert ask(port, Host="a.shop.example:99").status == 200
        assert ask(port, Host="localhost").status == 200
        assert ask(port, Host="evil.example").status == 421
    assert len(here.seen) == 3


def test_rate_limit(tmp_path: Path) -> None:
    made = app(edge(), web(routes=["/", Route(path="/login", rate_limit="3/m")]))
    with backend() as here, serving(made, one(here), tmp_path) as (port, _):
        assert [ask(port, "/login").status for _ in range(5)] == [200, 200, 200, 429, 429]
        assert ask(port, "/login", Accept="text/event-stream").status == 429
        assert ask(port, "/").status == 200


def test_response_cache(tmp_path: Path) -> None:
    made = app(edge(), web(cache="1m"))

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        if handler.path == "/private":
            handler.send_header("Cache-Control", "private")
        if handler.path == "/cookie":
            handler.send_header("Set-Cookie", "a=b")
        if handler.path == "/vary":
            handler.send_header("Vary", "Accept-Language")
        handler.send_header("Content-Length", "1")
        handler.end_headers()
        handler.wfile.write(str(len(here.seen) % 10).encode())

    with backend(answer) as here, serving(made, one(here), tmp_path) as (port, _):
        first, second = ask(port, "/a"), ask(port, "/a")
        assert (first.headers["X-Cache"], second.headers["X-Cache"]) == ("MISS", "HIT")
        assert first.text == second.text
        assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]
        assert ask(port, "/a", Cookie="session=1").headers["X-Cache"] == "BYPASS"
        assert ask(port, "/a", Authorization="x").headers["X-Cache"] == "BYPASS"
        assert ask(port, "/a", Host="other").headers["X-Cache"] == "MISS"
        for path in ("/private", "/cookie"):
            assert [ask(port, path).headers["X-Cache"] for _ in range(2)] == ["MISS", "MISS"]
        assert [
            ask(port, "/vary", Accept_Language=word).headers["X-Cache"]
            for word in ("de", "de", "fr")
        ] == ["MISS", "HIT", "MISS"]


def test_a_dead_replica_costs_nothing(tmp_path: Path) -> None:
    made = app(edge(), web())
    with backend() as here:
        servers = {"web": (f"127.0.0.1:{free_port()}", here.address)}
        with serving(made, servers, tmp_path) as (port, _):
            assert {ask(port, method=m, body="x").status for m in ("GET", "POST") * 10} == {200}
    assert len(here.seen) == 20


def test_a_write_is_never_sent_twice(tmp_path: Path) -> None:
    def hang_up(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True

    with backend(hang_up) as first, backend(hang_up) as second:
        servers = {"web": (first.address, second.address)}
        with serving(app(edge(), web()), servers, tmp_path) as (port, _):
            assert ask(port, method="POST", body="pay").status == 502
            assert len(first.seen + second.seen) == 1


def test_no_instance_is_a_502(tmp_path: Path) -> None:
    with serving(app(edge(), web()), {"web": ()}, tmp_path) as (port, _):
        assert ask(port).status == 502


def read_until(client: socket.socket, wanted: bytes) -> bytes:
    got = b""
    while wanted not in got:
        more = client.recv(4096)
        assert more, got
        got += more
    return got


@pytest.mark.parametrize("headers", ["", "Accept: text/event-stream\r\n"])
def test_an_event_is_not_held_back(tmp_path: Path, headers: str) -> None:
    seen = threading.Event()

    def events(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"9\r\ndata: 1\n\n\r\n")
        handler.wfile.flush()
        seen.wait(10)
        handler.wfile.write(b"0\r\n\r\n")

    made = app(edge(), web())
    with ExitStack() as stack:
        here = stack.enter_context(backend(events))
        port, _ = stack.enter_context(serving(made, one(here), tmp_path))
        client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
        client.sendall(f"GET /events HTTP/1.1\r\nHost: a\r\n{headers}\r\n".encode())
        read_until(client, b"data: 1\n\n")
        seen.set()


def test_websockets_pass(tmp_path: Path) -> None:
    def upgrade(handler: BaseHTTPRequestHandler) -> None:
        assert handler.headers["Connection"] == "upgrade"
        handler.send_response(101)
        handler.send_header("Upgrade", "websocket")
        handler.send_header("Connection", "Upgrade")
        handler.end_headers()
        handler.wfile.write(handler.rfile.read(4).upper())
        handler.close_connection = True

    made = app(edge(), web())
    with ExitStack() as stack:
        here = stack.enter_context(backend(upgrade))
        port, _ = stack.enter_context(serving(made, one(here), tmp_path))
        client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
        client.sendall(
            b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert b" 101 " in read_until(client, b"\r\n\r\n")
        client.sendall(b"ping")
        read_until(client, b"PING")
    assert here.seen == ["GET /ws"]


def test_access_log_is_json(tmp_path: Path) -> None:
    import json

    with backend() as here, serving(app(edge(), web()), one(here), tmp_path) as (port, _):
        ask(port, '/a?b="c\\', User_Agent='quote " and \\')
    lines = (tmp_path / "run" / "access.log").read_text().splitlines()
    told = [json.loads(line) for line in lines if '"uri":""' not in line]
    assert told[-1]["status"] == 200
    assert told[-1]["agent"] == 'quote " and \\'
    assert told[-1]["upstream"] == here.address
    assert told[-1]["generation"] == "gen-7"


def test_a_reload_takes_another_release(tmp_path: Path) -> None:
    """Zones for rates, caches and groups live on through a reload, and must fit each other."""
    old = app(edge(), web(rate_limit="5/s", cache="1m"))
    new = app(edge(), web("web", routes=["/"]), web("api", routes=["/b"], rate_limit="9/m"))
    port, admin = free_port(), free_port()
    run = tmp_path / "run"
    with backend() as first, backend() as second:
        bound = binding(old, {"web": (first.address,)}, tmp_path, port, admin)
        with running(render_edge(old, sites(old), bound), run, (port, admin)) as nginx:
            ask(port, "/a")
            servers = {"web": (second.address,), "api": (second.address,)}
            bound = structs.replace(
                binding(new, servers, tmp_path, port, admin), generation="gen-8"
            )
            write(render_edge(new, sites(new), bound), run)
            nginx.process.send_signal(signal.SIGHUP)
            while ask(admin, "/generation").text != "gen-8\n":
                assert "emerg" not in nginx.log.read_text(), nginx.log.read_text()
            # Old workers accept beside the new ones until they are told to stop (0.1 s).
            while not second.seen:
                assert ask(port, "/a").status in (200, 429)
            # One of them may still count this path by the old limit, which the loop has used up.
            while (status := ask(port, "/b").status) == 429:
                pass
            assert status == 200
