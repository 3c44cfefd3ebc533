"""Which docker client is used, by what each can do; the clients here are scripts that say so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from geartrain.engine.docker import client
from geartrain.errors import Exit, GearError

ANSWERS = '{"Version":"20.10.24","ApiVersion":"1.41","Arch":"amd64"}'


def program(
    folder: Path, version: str, *, buildx: bool = False, builtin: bool = False, server: str = "null"
) -> str:
    """A client that knows what is said here."""
    folder.mkdir()
    path = folder / "docker"
    path.write_text(
        f"""#!/bin/sh
case "$1 $2" in
"buildx version") exit {0 if buildx else 1} ;;
"build --help") [ "$DOCKER_BUILDKIT" = 1 ] && echo "{"--secret" if builtin else "BuildKit?"}" ;;
"version --format") echo '{server}'; [ '{server}' != null ] || exit 1 ;;
"version ") echo "cannot connect" >&2; exit 1 ;;
"context inspect") echo unix:///var/run/docker.sock ;;
*) echo "ran by {version}" ;;
esac
"""
    )
    path.chmod(0o755)
    return str(path)


@pytest.fixture(autouse=True)
def no_other_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(client, "USUAL_PLACES", ())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("DOCKER_HOST", raising=False)


def test_the_client_that_has_buildkit_builds(tmp_path: Path) -> None:
    program(tmp_path / "a", "28.2.2")
    old = program(tmp_path / "b", "20.10.24", builtin=True)
    found = client.client(f"{tmp_path / 'a'}:{tmp_path / 'b'}")
    assert found == client.Client(program=old, builder=client.Builder.BUILTIN)


def test_a_plugin_makes_the_first_one_good(tmp_path: Path) -> None:
    new = program(tmp_path / "a", "28.2.2", buildx=True)
    program(tmp_path / "b", "20.10.24", builtin=True)
    found = client.client(f"{tmp_path / 'a'}:{tmp_path / 'b'}")
    assert (found.program, found.builder) == (new, client.Builder.BUILDX)


def test_without_buildkit_the_first_one_builds_in_the_older_way(tmp_path: Path) -> None:
    only = program(tmp_path / "a", "28.2.2")
    found = client.client(str(tmp_path / "a"))
    assert (found.program, found.builder) == (only, client.Builder.LEGACY)


def in_a_new_process(path: Path) -> client.Client:
    client._found.cache_clear()
    return client.client(str(path))


def test_who_builds_is_asked_again_only_when_a_client_or_its_plugin_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "settings"))
    plugins = tmp_path / "settings" / "cli-plugins"
    plugins.mkdir(parents=True)
    only = Path(program(tmp_path / "a", "28.2.2"))
    text, times = only.read_text(), only.stat()
    assert in_a_new_process(only.parent).builder is client.Builder.LEGACY

    # What it says is another thing now, and neither its size nor its time tells.
    only.write_text(text.replace('"buildx version") exit 1', '"buildx version") exit 0'))
    os.utime(only, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert in_a_new_process(only.parent).builder is client.Builder.LEGACY, "it was asked"

    (plugins / "docker-buildx").touch()
    assert in_a_new_process(only.parent).builder is client.Builder.BUILDX, "a plugin came"
    only.write_text(text)
    assert in_a_new_process(only.parent).builder is client.Builder.LEGACY, "another client came"


def test_what_cannot_be_kept_or_read_is_asked(tmp_path: Path) -> None:
    program(tmp_path / "a", "28.2.2", buildx=True)
    (tmp_path / "cache").write_text("in the way")
    for _ in range(2):
        assert in_a_new_process(tmp_path / "a").builder is client.Builder.BUILDX
    (tmp_path / "cache").unlink()
    (tmp_path / "cache" / "geartrain").mkdir(parents=True)
    (tmp_path / "cache" / "geartrain" / "docker-client.json").write_text("{half")
    assert in_a_new_process(tmp_path / "a").builder is client.Builder.BUILDX


def test_a_client_that_the_daemon_does_not_talk_to_is_passed_over(tmp_path: Path) -> None:
    program(tmp_path / "a", "99.0")
    program(tmp_path / "b", "20.10.24", server=ANSWERS)
    path = f"{tmp_path / 'a'}:{tmp_path / 'b'}:/usr/bin"
    assert client.docker("ps", env={"PATH": path}).out == "ran by 20.10.24\n"
    assert client.daemon({"PATH": path}).api == (1, 41)


def test_without_a_client_the_package_is_named(tmp_path: Path) -> None:
    for ask in (lambda: client.client(str(tmp_path)), lambda: client.daemon({"PATH": "/nowhere"})):
        with pytest.raises(GearError, match="docker is not there") as error:
            ask()
        assert "apt-get install docker.io" in error.value.remedy
        assert error.value.code == Exit.MISSING


def test_a_silent_daemon_is_told_apart_from_one_that_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "a", "28.2.2")
    environ = {"PATH": f"{tmp_path / 'a'}:/usr/bin"}
    with pytest.raises(GearError, match="no Docker daemon answers at tcp://") as error:
        client.daemon({**environ, "DOCKER_HOST": "tcp://127.0.0.1:1"})
    assert "DOCKER_HOST" in error.value.remedy
    assert error.value.tail == ("cannot connect",)

    socket = tmp_path / "docker.sock"
    socket.touch()
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != socket and allowed(path, mode))
    with pytest.raises(GearError, match="this user may not use Docker") as error:
        client.daemon({**environ, "DOCKER_HOST": f"unix://{socket}"})
    assert "usermod -aG docker" in error.value.remedy
