"""A registry that is out of reach is asked once, and again after a while."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from geartrain.engine.docker.images import registry
from geartrain.engine.docker.images.reference import parse
from geartrain.engine.docker.images.registry import Pull, Registries


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    hosts: list[str] = []

    def answers(host: str) -> bool:
        hosts.append(host)
        return False

    monkeypatch.setattr(registry, "answers", answers)
    monkeypatch.setattr(registry, "_mirrored", lambda: False)
    return hosts


def test_a_no_is_remembered_for_a_while(tmp_path: Path, asked: list[str]) -> None:
    clock = [1000.0]
    image, other = parse("python:3.12"), parse("ghcr.io/a/b")
    for _ in range(3):  # as many commands
        one = Registries(tmp_path / "no.json", lambda: clock[0])
        assert one.pull(image, print) == (Pull.UNREACHABLE, "docker.io does not answer")
    assert asked == ["docker.io"]
    one.pull(other, print)
    assert asked == ["docker.io", "ghcr.io"]
    clock[0] += registry.REMEMBERED + 1
    one.pull(image, print)
    assert asked == ["docker.io", "ghcr.io", "docker.io"]


def test_a_clock_that_was_set_back_does_not_keep_it(tmp_path: Path, asked: list[str]) -> None:
    clock = [1000.0]
    one = Registries(tmp_path / "no.json", lambda: clock[0])
    one.pull(parse("a"), print)
    clock[0] = 10.0
    one.pull(parse("a"), print)
    assert len(asked) == 2


@pytest.mark.parametrize("text", ["", "nonsense", "[1]", '{"docker.io": "x"}'])
def test_a_broken_memory_is_no_memory(tmp_path: Path, asked: list[str], text: str) -> None:
    (tmp_path / "no.json").write_text(text)
    Registries(tmp_path / "no.json").pull(parse("a"), print)
    assert asked == ["docker.io"]


def test_nothing_listens() -> None:
    assert not registry.answers("localhost:1")


@pytest.fixture
def plain_server() -> Iterator[int]:
    """A server without TLS, as a proxy or another service on the port might be."""
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


def test_what_does_not_speak_https_is_no_registry(plain_server: int) -> None:
    assert not registry.answers(f"localhost:{plain_server}")
