"""The edge's generations on a private host: there is always one that nginx would start with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from geartrain.engine.embedded import edge
from geartrain.engine.embedded.host import Host
from geartrain.render.files import File

GOOD = "events {}\nhttp {}\n"


class KilledError(BaseException):
    """The command was killed."""


@pytest.fixture
def host(tmp_path: Path) -> Host:
    made = Host(tmp_path)
    made.create()
    edge.install(made, "1-a", {"nginx.conf": File(0o644, GOOD)})
    (made.edge / "current").symlink_to("1-a")
    return made


@pytest.mark.parametrize("at", range(4))
def test_killed_while_it_is_written_anew(
    host: Host, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """As with more copies, which do not change its name."""
    moments = iter(range(10))
    real, rename = shutil.rmtree, Path.rename

    def remove(path: Path, **rest: object) -> None:
        real(path, ignore_errors=True)
        if next(moments) == at:
            raise KilledError

    def move(path: Path, to: Path) -> Path:
        if next(moments) == at:
            raise KilledError
        return rename(path, to)

    text = GOOD + "# other servers\n"
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", remove)
        patched.setattr(Path, "rename", move)
        try:
            edge.install(host, "1-a", {"nginx.conf": File(0o644, text)})
        except KilledError:
            assert edge.chosen(host) == "1-a"
    assert (host.edge / "current" / "nginx.conf").read_text() in (GOOD, text)
    edge.install(host, "1-a", {"nginx.conf": File(0o644, text)})
    assert (host.edge / "current" / "nginx.conf").read_text() == text


def test_what_nginx_refuses_does_not_stay_where_it_would_start_from(host: Host) -> None:
    assert edge.install(host, "1-a", {"nginx.conf": File(0o644, "nonsense;\n")})
    assert (host.edge / "current" / "nginx.conf").read_text() == GOOD
