"""Containers of the images that are made here, used as their users would."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from geartrain.engine.docker.images.ensure import build
from tests.dockerd import DOCKER, docker


class Container:
    """A container, made and not started yet."""

    def __init__(self, image: str, options: tuple[str, ...], command: tuple[str, ...]) -> None:
        self.id = docker("create", *options, image, *command)

    def run(self, *argv: str, user: str = "", check: bool = True) -> str:
        """Run a program in it and return both outputs."""
        options = ["--user", user] if user else []
        done = subprocess.run(
            [DOCKER, "exec", *options, self.id, *argv],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}{self.logs()}"
        return (done.stdout + done.stderr).strip()

    def succeeds(self, *argv: str, user: str = "", within: float = 60) -> None:
        """Wait until a program in it ends well."""
        options = ["--user", user] if user else []
        deadline = time.monotonic() + within
        while subprocess.run([DOCKER, "exec", *options, self.id, *argv], capture_output=True,
                             timeout=60, check=False).returncode:  # fmt: skip
            assert self.running(), self.logs()
            assert time.monotonic() < deadline, f"{argv} does not succeed:\n{self.logs()}"
            time.sleep(0.05)

    def running(self) -> bool:
        return docker("inspect", "--format", "{{.State.Running}}", self.id) == "true"

    def logs(self) -> str:
        done = subprocess.run(
            [DOCKER, "logs", self.id], capture_output=True, text=True, timeout=60, check=False
        )
        return done.stdout + done.stderr

    def ends(self) -> int:
        """Wait for its end; returns the exit code."""
        return int(docker("wait", self.id, timeout=60))

    def first_process(self) -> str:
        """The user and the name of what Docker started."""
        return self.run("sh", "-c", 'echo "$(stat -c %U /proc/1) $(cat /proc/1/comm)"')


Run = Callable[..., Container]


@pytest.fixture(scope="session")
def image(docker_daemon: None) -> Callable[[str], str]:
    """Make the stand-in for a name; what was made by an earlier run is used again."""
    return lambda name: build(name, print)


@pytest.fixture
def run(image: Callable[[str], str]) -> Iterator[Run]:
    """Start a container: the image's official name, docker's options, the command."""
    started: list[Container] = []

    def start(name: str, *options: str, command: tuple[str, ...] = ()) -> Container:
        container = Container(image(name), options, command)
        started.append(container)  # before it starts: what cannot start is removed too
        docker("start", container.id)
        return container

    yield start
    for container in started:
        docker("rm", "--force", "--volumes", container.id)


@pytest.fixture
def tmp_path(tmp_path: Path) -> Path:
    """A folder that the users in containers can read too."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    return tmp_path


@pytest.fixture
def volume(docker_daemon: None) -> Iterator[str]:
    name = f"gear-test-{uuid.uuid4().hex[:12]}"
    docker("volume", "create", name)
    yield name
    docker("volume", "rm", name)
