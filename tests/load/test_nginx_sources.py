"""Configuration files of an app's nginx, read from its checkout and from nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from geartrain.errors import InvalidError
from geartrain.load.nginx_sources import read_sources


def test_files_by_their_place_in_the_container(tmp_path: Path) -> None:
    (tmp_path / "nginx/conf.d").mkdir(parents=True)
    (tmp_path / "nginx/conf.d/a.conf").write_text("a;")
    (tmp_path / "nginx/cert.der").write_bytes(b"\xff\xfe")
    (tmp_path / "site").mkdir()
    (tmp_path / "site/index.html").write_text("x")
    found = read_sources(
        [
            ("/etc/nginx/conf.d", tmp_path / "nginx/conf.d"),
            ("/etc/nginx/cert.der", tmp_path / "nginx/cert.der"),
            ("/etc/nginx/html", tmp_path / "missing"),
            ("/usr/share/nginx/html", tmp_path / "site"),
        ],
        tmp_path,
    )
    assert {at: (s.name, s.text) for at, s in found.items()} == {
        "/etc/nginx/conf.d/a.conf": ("nginx/conf.d/a.conf", "a;")
    }


def test_links_out_of_the_repository_are_refused(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    root.mkdir()
    (tmp_path / "secret.conf").write_text("x;")
    (root / "nginx.conf").symlink_to(tmp_path / "secret.conf")
    with pytest.raises(InvalidError) as caught:
        read_sources([("/etc/nginx/nginx.conf", root / "nginx.conf")], root)
    assert "nginx.conf: leads outside the repository" in str(caught.value)
