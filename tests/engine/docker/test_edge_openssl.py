"""What the edge offers for a key exchange follows the OpenSSL of the nginx that runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from geartrain.engine.docker import api, edge
from geartrain.engine.docker.host import DockerHost
from geartrain.errors import GearError
from geartrain.render.nginx.claims import FORMAT, Claim

SECURE = Claim(app="shop", release=1, format=FORMAT, domains=("a.test",), tls=("127.0.0.1:443",))
WITH, WITHOUT = "ssl_ecdh_curve ?X25519MLKEM768:X25519:", "ssl_ecdh_curve X25519:"


def written(tmp_path: Path, claim: Claim = SECURE) -> str:
    host = DockerHost(tmp_path)
    host.create()
    return (host.edge / edge.prepare(host, "shop", claim) / "nginx.conf").read_text()


@pytest.mark.parametrize(
    ("said", "offered"),
    [
        ("built with OpenSSL 3.5.1 1 Jul 2025", WITH),
        ("built with OpenSSL 3.3.7 7 Apr 2026", WITH),
        ("built with OpenSSL 3.0.15 (running with OpenSSL 3.0.17 1 Jul 2025)", WITHOUT),
        ("built with BoringSSL", WITHOUT),
    ],
)
def test_by_its_version(
    said: str, offered: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def execute(container: str, argv: tuple[str, ...]) -> tuple[int, str]:
        asked.append((container, argv))
        return 0, f"nginx version: nginx/1.31.3\n{said}\nTLS SNI support enabled\n"

    monkeypatch.setattr(api, "execute", execute)
    assert offered in written(tmp_path)
    assert asked == [(DockerHost(tmp_path).edge_container, ("nginx", "-V"))]


def test_one_that_does_not_run_is_offered_what_every_one_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def execute(*_: object) -> tuple[int, str]:
        raise GearError("it is gone")

    monkeypatch.setattr(api, "execute", execute)
    assert WITHOUT in written(tmp_path)


def test_without_tls_it_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "execute", None)
    assert "ssl_" not in written(tmp_path, Claim(app="shop", release=1, format=FORMAT))
