"""`gear up --tls`: the app on https, with a certificate that a caller can check."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from pathlib import Path

import pytest

from tests.cli.conftest import Make
from tests.cli.running import Project
from tests.ports import free_port


def https(port: int, authority: Path, name: str = "localhost") -> str:
    """The body of one answer over TLS, under a name that the certificate has to have."""
    context = ssl.create_default_context(cafile=str(authority))
    link = http.client.HTTPConnection(name, port)
    plain = socket.create_connection(("127.0.0.1", port), timeout=10)
    link.sock = context.wrap_socket(plain, server_hostname=name)
    with contextlib.closing(link):
        link.request("GET", "/")
        answer = link.getresponse()
        assert answer.status == 200
        return answer.read().decode()


def http_redirect(project: Project, path: str) -> tuple[int, str | None]:
    link = http.client.HTTPConnection("127.0.0.1", project.port, timeout=10)
    link.request("POST", path, headers={"Host": f"localhost:{project.port}"})
    answer = link.getresponse()
    link.close()
    return answer.status, answer.headers["Location"]


def test_the_app_is_on_https_until_it_is_not_wanted(make: Make, tmp_path: Path) -> None:
    port = free_port()
    project = make("hello", XDG_DATA_HOME=str(tmp_path / "share"))
    ca = tmp_path / "share/geartrain/ca/ca.pem"
    done = project.up("--tls", "--port", f"443={port}", "--json")
    assert f"trust {ca} once" in done.err
    assert done.json()["urls"][0] == f"https://localhost:{port}"
    assert https(port, ca) == "hello 1\n"
    assert http_redirect(project, "/a%2Fb?c=1") == (308, f"https://localhost:{port}/a%2Fb?c=1")

    project.write("VERSION", "2\n")
    assert "trust" not in project.up().said
    assert https(port, ca) == "hello 2\n"

    off = project.up("--no-tls", "--json").json()
    assert off["steps"] == ["switch nginx to release 2"]
    assert project.body() == "hello 2\n"
    with pytest.raises(ConnectionRefusedError):
        https(port, ca)
    assert project.gear("plan").out == ""


def test_another_domain_is_another_certificate(make: Make, tmp_path: Path) -> None:
    port = free_port()
    project = make("hello", XDG_DATA_HOME=str(tmp_path / "share"))
    ca = tmp_path / "share/geartrain/ca/ca.pem"
    project.up("--tls", "--port", f"443={port}")
    text = (project.folder / "docker-compose.yml").read_text()
    project.write("docker-compose.yml", f"x-gear: {{domains: [shop.localhost]}}\n{text}")
    project.up()
    assert https(port, ca, "shop.localhost") == "hello 1\n"
    assert https(port, ca) == "hello 1\n"
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
        https(port, ca, "other.localhost")
