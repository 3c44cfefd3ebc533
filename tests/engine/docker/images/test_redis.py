"""The redis stand-in, used as the official image's documentation says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dockerd import docker
from tests.engine.docker.images.conftest import Container, Run

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

NAME = "redis:7"


def ready(container: Container) -> Container:
    container.succeeds("redis-cli", "ping")
    return container


def test_others_can_connect(run: Run) -> None:
    container = ready(run(NAME))
    client = run(NAME, "--link", container.id, command=("sleep", "60"))
    address = container.run("hostname", "-i")
    assert client.run("redis-cli", "-h", address, "set", "a", "b") == "OK"
    assert container.first_process() == "redis redis-server"
    assert container.run("id", "redis") == "uid=999(redis) gid=999(redis) groups=999(redis)"
    assert container.run("pwd") == "/data"


def test_options_and_data(volume: str, run: Run) -> None:
    mount = ("-v", f"{volume}:/data")
    command = ("--appendonly", "yes", "--requirepass", "s3cret")
    first = ready(run(NAME, *mount, command=command))
    assert "NOAUTH" in first.run("redis-cli", "get", "a")
    first.run("redis-cli", "-a", "s3cret", "set", "kept", "yes")
    docker("stop", first.id)
    second = ready(run(NAME, *mount, command=("redis-server", *command)))
    assert second.run("redis-cli", "--no-auth-warning", "-a", "s3cret", "get", "kept") == "yes"
    assert second.run("stat", "-c", "%U", "/data/appendonlydir") == "redis"


@pytest.mark.parametrize("command", [("/etc/own.conf",), ("redis-server", "/etc/own.conf")])
def test_a_configuration_file(run: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "own.conf").write_text("maxmemory 50mb\n")
    container = ready(run(NAME, "-v", f"{tmp_path}/own.conf:/etc/own.conf:ro", command=command))
    assert container.run("redis-cli", "config", "get", "maxmemory").splitlines()[1] == "52428800"
    address = container.run("hostname", "-i")
    assert container.run("redis-cli", "-h", address, "ping") == "PONG"


def test_protected_mode_stays_as_the_file_says(run: Run, tmp_path: Path) -> None:
    (tmp_path / "own.conf").write_text("protected-mode yes\n")
    mount = ("-v", f"{tmp_path}/own.conf:/etc/own.conf:ro")
    container = ready(run(NAME, *mount, command=("redis-server", "/etc/own.conf")))
    assert container.run("redis-cli", "config", "get", "protected-mode").splitlines()[1] == "yes"


def test_without_rights(run: Run) -> None:
    options = (
        "--user",
        "1000:1000",
        "--cap-drop",
        "ALL",
        "--read-only",
        "--tmpfs",
        "/data:mode=1777",
    )
    container = ready(run(NAME, *options))
    assert container.run("redis-cli", "set", "a", "b") == "OK"


def test_other_commands(run: Run) -> None:
    assert run(NAME, command=("redis-cli", "--version")).ends() == 0
    server = run(NAME, command=("redis-server", "--version"))
    assert server.ends() == 0
    assert "v=7." in server.logs()
