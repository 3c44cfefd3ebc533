"""An app's own nginx configuration, asked through a really running nginx."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from geartrain.render.nginx.own import adapt
from tests.ports import free_port

from .live import ask, backend, running
from .own_configs import mapping, sources

pytestmark = pytest.mark.programs


def test_the_configuration_of_the_brief(tmp_path: Path) -> None:
    port, admin = free_port(), free_port()
    (tmp_path / "run").mkdir()
    with backend() as here:
        made = adapt(
            mapping(
                sources("brief"),
                servers={"backend": (), "backend:8080": (here.address,)},
                listen={80: (f"127.0.0.1:{port}",)},
                home=str(tmp_path / "conf"),
                folder=str(tmp_path / "run"),
                admin=f"127.0.0.1:{admin}",
                user="root" if os.geteuid() == 0 else None,
            ),
            lambda _: False,
        )
        with running(made.files, tmp_path / "conf", (port, admin)):
            assert ask(port, "/api/users?a=1").text.startswith("GET /api/users?a=1\n")
            assert "nginx is running" in ask(port, "/").text
            assert ask(admin, "/generation").text == "7-abc\n"


@pytest.mark.parametrize("path", ["/strip/a%2Fb", "/strip/"])
def test_a_uri_part_replaces_the_prefix(path: str, tmp_path: Path) -> None:
    port, admin = free_port(), free_port()
    (tmp_path / "run").mkdir()
    with backend() as here:
        made = adapt(
            mapping(
                sources("whole"),
                servers={"backend:8080": (here.address,), "backend": (), "api": ()},
                listen={80: (f"127.0.0.1:{port}",)},
                home=str(tmp_path / "conf"),
                folder=str(tmp_path / "run"),
                admin=f"127.0.0.1:{admin}",
                user="root" if os.geteuid() == 0 else None,
            ),
            lambda _: False,
        )
        with running(made.files, tmp_path / "conf", (port, admin)):
            got = ask(port, path)
            assert got.text.startswith(f"GET {path.removeprefix('/strip').replace('%2F', '/')}\n")
            assert "Host: backend\n" in got.text
