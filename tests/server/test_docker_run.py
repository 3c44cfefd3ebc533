"""`gear run` on a host with Docker: a container of its own, of which nothing is left."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.cli.running import GEAR, until
from tests.dockerd import docker
from tests.server.pushing import Clone, on_docker

pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("docker_daemon"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """An app on a host with Docker; everything of it is gone afterwards."""
    with on_docker(tmp_path_factory.mktemp("docker-run"), "rung") as clone:
        clone.write("run.txt", f"{time.time_ns()}")
        clone.commit("a file of this run")
        clone.push()
        yield clone


def commands(store: Clone) -> list[str]:
    """The containers in which somebody's command runs."""
    chosen = ("--all", "--quiet", f"--filter=label=geartrain.command={store.app}")
    return docker("ps", *chosen).split()


def test_a_container_of_its_own(store: Clone) -> None:
    host = "import socket; print(socket.gethostname())"
    inside = store.gear("exec", "web", "python", "-c", host).out
    said = store.gear("run", "web", "python", "-c", host)
    assert said.out.strip()
    assert said.out != inside
    assert said.err == ""
    assert commands(store) == []
    assert store.body() == "hello 1\n"


def test_input_exit_codes_and_variables(store: Clone) -> None:
    assert store.gear("run", "web", "cat", stdin="a\nb\n").out == "a\nb\n"
    assert store.gear("run", "web", "sh", "-c", "exit 37", code=37).out == ""
    said = store.gear("run", "--rm", "-e", "ONE=$1 it's", "web", "sh", "-c", 'echo "$ONE"')
    assert said.out == "$1 it's\n"
    assert store.gear("run", "web", "no-such-program", code=None).code in (126, 127)
    assert commands(store) == []


def test_it_is_no_instance_and_in_no_log(store: Clone) -> None:
    before = store.gear("ps", "--json").json()["instances"]
    words = [*GEAR, "run", "web", "sh", "-c", "echo only for me; sleep 60"]
    running = subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, cwd=store.folder, env=store.host.environment()
    )
    try:
        assert running.stdout is not None
        assert running.stdout.readline() == "only for me\n"
        names = [one["name"] for one in store.gear("ps", "--json").json()["instances"]]
        assert names == [one["name"] for one in before]
        assert "only for me" not in store.gear("logs").out
        assert store.gear("converge", "--json").json()[0]["steps"] == []
        assert len(commands(store)) == 1
    finally:
        running.kill()
        running.wait()
    # A client that was killed leaves it; whoever stops the app ends it.
    store.gear("down")
    until(lambda: commands(store) == [], "it is gone")
    assert "nothing runs here" in store.gear("run", "web", "true", code=1).err
    store.gear("converge")
