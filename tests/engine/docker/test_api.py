"""The daemon is asked over its socket; where it is elsewhere, through a client."""

from __future__ import annotations

import json
import os
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from geartrain.engine.docker import api, client
from geartrain.errors import GearError
from tests.engine.docker.test_client import program


class Thing(msgspec.Struct):
    name: str = msgspec.field(name="Name")


class Daemon(socketserver.ThreadingUnixStreamServer):
    """Answers each request with what is said here, and remembers what was asked."""

    def __init__(self, path: Path, status: str, body: str) -> None:
        self.asked: list[str] = []
        self.said = f"HTTP/1.0 {status}\r\nContent-Type: application/json\r\n\r\n{body}".encode()
        super().__init__(str(path), Answering)


class Answering(socketserver.StreamRequestHandler):
    server: Daemon

    def handle(self) -> None:
        self.server.asked.append(self.rfile.readline().decode().rstrip())
        while self.rfile.readline().strip():
            pass
        self.wfile.write(self.server.said)


@contextmanager
def daemon(place: Path, status: str, body: str) -> Iterator[Daemon]:
    path = place / "d.sock"
    with Daemon(path, status, body) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        os.environ["DOCKER_HOST"] = f"unix://{path}"
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "")  # put back afterwards, whatever is set meanwhile


def test_what_is_asked_and_answered(tmp_path: Path) -> None:
    with daemon(tmp_path, "200 OK", '{"Name": "x", "Other": [1]}') as server:
        found = api.get(Thing, "containers", "a b?c", "json", all="1", filters={"label": ["k=v"]})
    assert found == Thing("x")
    (asked,) = server.asked
    filters = "%7B%22label%22%3A%5B%22k%3Dv%22%5D%7D"
    assert asked == f"GET /containers/a%20b%3Fc/json?all=1&filters={filters} HTTP/1.0"


def test_what_is_not_there_is_none_and_no_error(tmp_path: Path) -> None:
    with daemon(tmp_path, "404 Not Found", '{"message": "no such container"}'):
        assert api.get(Thing, "containers", "x", "json") is None
        assert api.post("containers", "x", "kill", signal="HUP") is None
        assert not api.delete("networks", "x")


def test_a_refusal_says_why(tmp_path: Path) -> None:
    why = json.dumps({"message": "container x is not running"})
    with daemon(tmp_path, "409 Conflict", why), pytest.raises(api.RefusedError) as error:
        api.post("containers", "x", "kill", signal="HUP")
    assert "container x is not running" in error.value.what


def test_what_is_in_use_is_not_removed(tmp_path: Path) -> None:
    why = json.dumps({"message": "image is being used"})
    with daemon(tmp_path, "409 Conflict", why) as server, pytest.raises(api.RefusedError):
        api.delete("images", "app/x:r1", force="1")
    assert server.asked == ["DELETE /images/app/x:r1?force=1 HTTP/1.0"]


def test_a_daemon_that_is_gone_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "a", "28.2.2")
    monkeypatch.setenv("PATH", f"{tmp_path / 'a'}:/usr/bin")
    monkeypatch.setattr(client, "USUAL_PLACES", ())
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    with pytest.raises(GearError, match="no Docker daemon answers at unix://") as error:
        api.get(Thing, "info")
    assert error.value.remedy


def test_a_context_that_was_chosen_says_where_the_daemon_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "a", "28.2.2")  # its `context inspect` names the usual socket
    monkeypatch.setenv("PATH", f"{tmp_path / 'a'}:/usr/bin")
    monkeypatch.setattr(client, "USUAL_PLACES", ())
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    asked: list[str] = []
    monkeypatch.setattr(
        client, "_endpoint", lambda program, _: asked.append(program) or "unix:///x"
    )
    assert (client.endpoint(), asked) == (client.USUAL, [])
    (tmp_path / "config.json").write_text('{"currentContext": "rootless"}')
    client._used_endpoint.cache_clear()
    assert (client.endpoint(), asked) == ("unix:///x", [str(tmp_path / "a" / "docker")])


@pytest.mark.docker
@pytest.mark.usefixtures("docker_daemon")
def test_a_daemon_that_is_not_on_a_socket_here_is_reached_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DOCKER_HOST")
    real = client.endpoint().removeprefix(api.UNIX)

    class Passing(socketserver.BaseRequestHandler):
        """Passes bytes on to the real daemon and back, until it has said everything."""

        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as there:
                there.connect(real)
                there.settimeout(10)
                there.sendall(self.request.recv(65536))
                while data := there.recv(65536):
                    self.request.sendall(data)

    class Version(msgspec.Struct):
        version: str = msgspec.field(name="Version")

    here = api.get(Version, "version")
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Passing) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_address[1]}")
            assert client.endpoint().startswith("tcp://")
            there = api.get(Version, "version")
        finally:
            server.shutdown()
            thread.join()
    assert here is not None
    assert here == there
