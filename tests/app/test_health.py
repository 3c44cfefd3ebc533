"""What a Compose healthcheck asks for."""

from __future__ import annotations

import pytest

from geartrain.app.health import local_url


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("curl -f http://localhost:8000/health", (8000, "/health")),
        ("curl -f http://localhost:8000/health || exit 1", (8000, "/health")),
        ("curl --silent --fail localhost:80/health-check || exit 1", (80, "/health-check")),
        ("curl -s --noproxy localhost localhost:3000/health | grep -q OK", (3000, "/health")),
        ("wget --no-verbose --tries=1 --spider http://127.0.0.1:8123/ping", (8123, "/ping")),
        ("wget -qO- http://localhost", (None, "/")),
        ("node -e \"fetch('http://localhost:3100/api').then(r => r.ok)\"", (3100, "/api")),
        ("curl -kf https://localhost:8443/health", None),
        ("curl -f http://other:8000/health", None),
        ("curl -f http://localhost.example/health", None),
        ("nc -z localhost 9092", None),
        ("pg_isready -h localhost", None),
    ],
)
def test_the_url_that_is_asked(line: str, asked: tuple[int | None, str] | None) -> None:
    assert local_url(["/bin/sh", "-c", line]) == asked
    assert local_url(line.split(" ")) == asked
