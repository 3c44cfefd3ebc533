"""Builds with a real Docker: what a repository asks for, and what a failure says."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import threading
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from geartrain.app.model import App
from geartrain.engine.docker import space
from geartrain.engine.docker.builds.build import Order, build
from geartrain.engine.docker.client import Builder, client
from geartrain.errors import GearError, InvalidError
from geartrain.load import load
from tests.dockerd import DOCKER, docker

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

COMPOSE = (
    "services:\n  web:\n    build: {build}\n    command: python app.py\n    ports: ['80:8000']\n"
)
Make = Callable[..., str]


class Repository:
    """A folder with a Compose file, and the images built from it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.tag = f"geartrain-test/{uuid.uuid4().hex[:12]}:r1"

    def write(self, **files: str) -> None:
        for name, text in files.items():
            path = self.folder / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def app(self, **environ: str) -> App:
        return load(self.folder, environ={**os.environ, **environ}).app

    def build(self, tag: str = "", **environ: str) -> str:
        app = self.app(**environ)
        order = Order(app=app, service=app.services["web"], source=self.folder,
                      tag=tag or self.tag, labels={"geartrain.test": "yes"})  # fmt: skip
        return build(order, self.said.append, environ={**os.environ, **environ})

    def remove(self) -> None:
        name = self.tag.partition(":")[0]
        for image in docker("images", "--format", "{{.Repository}}:{{.Tag}}", name).split():
            docker("image", "rm", "--force", image)


@pytest.fixture
def repository(docker_daemon: None, tmp_path: Path) -> Iterator[Repository]:
    folder = tmp_path / "app"
    folder.mkdir()
    made = Repository(folder)
    made.write(docker_compose_dot_yml="")
    (folder / "docker-compose.yml").write_text(COMPOSE.format(build="."))
    (folder / "app.py").write_text("print('here')\n")
    yield made
    made.remove()


def dockerfile(repository: Repository, text: str, name: str = "Dockerfile") -> None:
    (repository.folder / name).write_text(text)


def run(image: str, *argv: str) -> str:
    return docker("run", "--rm", image, *argv)


def steps(repository: Repository) -> list[str]:
    """What was done, and not taken from the cache."""
    return [line for line in repository.said if re.match(r"web: \d+/\d+ ", line)]


def test_a_change_of_the_code_alone_is_built_at_once(repository: Repository) -> None:
    dockerfile(
        repository,
        "# syntax=docker/dockerfile:1\nFROM python:3.12-slim\nRUN pip install itsdangerous\n"
        'COPY app.py .\nCMD ["python", "app.py"]\n',
    )
    assert run(repository.build()) == "here"
    mark = uuid.uuid4().hex  # in nobody's cache
    code = f"import itsdangerous; print('changed')  # {mark}\n"
    (repository.folder / "app.py").write_text(code)
    second = repository.tag.replace(":r1", ":r2")
    repository.said.clear()
    repository.build(second)
    (changed,) = steps(repository)
    assert "COPY app.py" in changed, "packages are not installed again"
    repository.said.clear()
    repository.build(second)
    assert steps(repository) == []
    assert run(second) == "changed"
    assert run(repository.tag) == "here", "the image of the release before is still there"
    labels = docker("inspect", "--format", "{{json .Config.Labels}}", second)
    assert '"geartrain.test":"yes"' in labels


def test_a_long_build_tells_its_steps_while_it_runs(repository: Repository) -> None:
    dockerfile(
        repository, "FROM python:3.12-slim\nCOPY app.py .\nRUN echo noise; sleep 2\nRUN true\n"
    )
    (repository.folder / "app.py").write_text(uuid.uuid4().hex)  # in nobody's cache
    app = repository.app()
    order = Order(app=app, service=app.services["web"], source=repository.folder,
                  tag=repository.tag, labels={})  # fmt: skip
    told: list[tuple[str, float]] = []
    build(order, lambda text: told.append((text, time.monotonic())))
    ended = time.monotonic()
    steps = [one for one in told if one[0].startswith("web: ")]
    assert [text.rpartition("  ")[0] for text, _ in steps] == [
        "web: 2/4 COPY app.py .", "web: 3/4 RUN echo noise; sleep 2", "web: 4/4 RUN true"
    ]  # fmt: skip
    assert all(text.endswith(" s") for text, _ in steps)
    assert ended - steps[0][1] > 1.5, "the first was told before the second ended"
    build(order, lambda text: told.append((text, 0.0)))
    assert [one for one in told if one[1] == 0.0] == [], "what comes from the cache is not told"


def test_arguments_targets_and_files_elsewhere(repository: Repository) -> None:
    (repository.folder / "docker-compose.yml").write_text(
        COMPOSE.format(
            build="{context: ., dockerfile: deploy/web.Dockerfile, target: Wanted,"
            " args: {WHO: \"it's $$me; {x}\", VERSION: '3.12'}}"
        )
    )
    (repository.folder / "deploy").mkdir()
    dockerfile(
        repository,
        'ARG VERSION=1\nFROM python:${VERSION}-slim AS wanted\nARG WHO\nRUN echo "$WHO" >/who\n'
        "COPY . /all\nFROM nothing-like-this:1 AS other\n",
        "deploy/web.Dockerfile",
    )
    dockerfile(repository, "app.py\n", "deploy/web.Dockerfile.dockerignore")
    image = repository.build()
    assert run(image, "cat", "/who") == "it's $me; {x}"
    assert "app.py" not in run(image, "ls", "/all").split()


def test_secrets_are_in_no_layer_and_on_no_command_line(
    repository: Repository, tmp_path: Path
) -> None:
    (repository.folder / "docker-compose.yml").write_text(
        COMPOSE.format(build="{context: ., secrets: [token, {source: key, target: the-key}]}")
        + "secrets:\n  token: {environment: BUILD_TOKEN}\n  key: {file: ./key.txt}\n"
    )
    (repository.folder / "key.txt").write_text("from-a-file-4711")
    (repository.folder / ".dockerignore").write_text("key.txt\ndocker-compose.yml\n")
    dockerfile(
        repository,
        "FROM python:3.12-slim\n"
        "RUN --mount=type=secret,id=token --mount=type=secret,id=the-key \\\n"
        "    cat /run/secrets/token /run/secrets/the-key | sha256sum >/seen && sleep 1\n",
    )
    watch = "for i in $(seq 40); do cat /proc/[0-9]*/cmdline 2>/dev/null; sleep 0.05; done"
    watcher = subprocess.Popen(
        ["sh", "-c", watch], stdout=subprocess.PIPE, text=True, errors="replace"
    )
    image = repository.build(BUILD_TOKEN="from-the-environment-0815")
    shown = watcher.communicate()[0]
    digest = hashlib.sha256(b"from-the-environment-0815from-a-file-4711").hexdigest()
    assert run(image, "cat", "/seen").startswith(digest), "the build had both"
    tar = tmp_path / "image.tar"
    docker("save", "--output", str(tar), image)
    kept = tar.read_bytes() + docker("history", "--no-trunc", image).encode()
    for secret in ("from-the-environment-0815", "from-a-file-4711"):
        assert secret.encode() not in kept
        assert secret not in shown


@pytest.fixture
def own_index(tmp_path: Path) -> Iterator[str]:
    """A package index of a company, with a package that no other has."""
    package = tmp_path / "index" / "companys-own"
    package.mkdir(parents=True)
    wheel = package / "companys_own-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        info = "companys_own-1.dist-info"
        file.writestr("companys_own.py", "")
        file.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: companys-own\nVersion: 1\n")
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", "")
    (package / "index.html").write_text(f"<a href='{wheel.name}'>{wheel.name}</a>")
    handler = partial(QuietHandler, directory=str(tmp_path / "index"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://me:s3cret-4711@127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_the_machines_package_index_is_used_and_not_kept(
    repository: Repository, own_index: str, tmp_path: Path
) -> None:
    dockerfile(
        repository,
        f"FROM python:3.12-slim\n# {uuid.uuid4()}: not from a cache\n"
        f"RUN echo {uuid.uuid4()} && pip install companys-own\n",
    )
    image = repository.build(PIP_INDEX_URL=own_index)
    assert run(image, "python", "-c", "import companys_own; print('there')") == "there"
    tar = tmp_path / "image.tar"
    docker("save", "--output", str(tar), image)
    assert b"s3cret-4711" not in tar.read_bytes()
    assert "s3cret-4711" not in docker("history", "--no-trunc", image)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("FROM python:3.12-slim\n\nRUN echo one && \\\n    echo two; exit 3\n", 3,
         "`RUN echo one &&     echo two; exit 3` ended with 3"),
        ("FROM python:3.12-slim\nCOPY nothing.txt .\n", 2, "`COPY nothing.txt .`"),
        ("FROM python:3.12-slim\nRUNN x\n", 2, "unknown instruction: RUNN"),
        ("FROM python:3.12-slim AS a\nFROM a\nRUN python -c 'import nothing'\n", 3, "ended with 1"),
    ],
)  # fmt: skip
def test_a_failure_names_the_line(repository: Repository, text: str, line: int, said: str) -> None:
    dockerfile(repository, text)
    with pytest.raises(GearError) as error:
        repository.build()
    assert error.value.where == f"Dockerfile:{line}"
    assert said in error.value.what
    if "import nothing" in text:
        assert error.value.tail[-1] == "ModuleNotFoundError: No module named 'nothing'"
    if "two" in text:
        assert error.value.tail[-2:] == ("one", "two")


def test_a_full_disk_is_seen_before(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    dockerfile(repository, "FROM python:3.12-slim\nCOPY . .\n")
    repository.build()
    size = int(docker("image", "inspect", "--format", "{{.Size}}", repository.tag))
    little = space.Space(folder="/x", free=space.LEAST + size, total=10**11, inodes=-1)
    monkeypatch.setattr(space, "measured", lambda: little)
    with pytest.raises(GearError, match="too little room to build web") as error:
        repository.build()
    assert space.shown(space.LEAST + 2 * size) in error.value.what


@pytest.fixture
def older_builder(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where no client can do BuildKit."""
    found = client()
    older = replace(found, builder=Builder.LEGACY)
    monkeypatch.setattr("geartrain.engine.docker.builds.build.client", lambda: older)


def test_the_older_builder_builds_too(repository: Repository, older_builder: None) -> None:
    (repository.folder / "docker-compose.yml").write_text(
        COMPOSE.format(build="{context: ., args: {WHO: me}}")
    )
    dockerfile(
        repository,
        "# syntax=docker/dockerfile:1\nFROM python:3.12-slim\nARG WHO\n"
        "RUN echo $WHO >/who\nCOPY . .\n",
    )
    assert run(repository.build(), "cat", "/who") == "me"
    mark = uuid.uuid4().hex
    dockerfile(repository, f"FROM python:3.12-slim\nRUN echo said {mark}; exit 4\n")
    with pytest.raises(GearError, match="ended with 4") as error:
        repository.build()
    assert mark not in docker("ps", "--all", "--no-trunc", "--format", "{{.Command}}")
    assert error.value.where == "Dockerfile:2"
    assert f"said {mark}" in error.value.tail


def test_the_older_builder_makes_python_projects(
    repository: Repository, older_builder: None
) -> None:
    (repository.folder / "requirements.txt").write_text("itsdangerous==2.2.0\n")
    (repository.folder / ".python-version").write_text("3.12\n")
    assert run(repository.build(), "python", "app.py") == "here"


def test_the_older_builder_has_no_secrets(repository: Repository, older_builder: None) -> None:
    (repository.folder / "docker-compose.yml").write_text(
        COMPOSE.format(build="{context: ., secrets: [token]}")
        + "secrets:\n  token: {environment: BUILD_TOKEN}\n"
    )
    dockerfile(repository, "FROM python:3.12-slim\n")
    with pytest.raises(GearError, match="build secrets need BuildKit") as error:
        repository.build(BUILD_TOKEN="x")
    assert "docker-buildx" in error.value.remedy


def test_an_image_that_is_nowhere(repository: Repository) -> None:
    dockerfile(repository, "FROM somebody/nothing-like-this:1\n")
    with pytest.raises(GearError, match="not to be had") as error:
        repository.build()
    assert error.value.problems[0].where == "somebody/nothing-like-this:1"


def test_a_dockerfile_outside_of_the_repository(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("FROM python:3.12-slim\n")
    app = repository_with_dockerfile(repository)
    (repository.folder / "Dockerfile").unlink()
    (repository.folder / "Dockerfile").symlink_to(tmp_path / "outside")
    order = Order(app=app, service=app.services["web"], source=repository.folder,
                  tag=repository.tag, labels={})  # fmt: skip
    with pytest.raises(InvalidError, match="outside the repository"):
        build(order, print)


def repository_with_dockerfile(repository: Repository) -> App:
    dockerfile(repository, "FROM python:3.12-slim\n")
    return repository.app()


PROJECTS = {
    "requirements": {"requirements.txt": "-r more.txt\n", "more.txt": "itsdangerous==2.2.0\n"},
    "project": {
        "pyproject.toml": '[project]\nname = "x"\nversion = "1"\nrequires-python = "==3.12.*"\n'
        'dependencies = ["itsdangerous"]\n[tool.setuptools]\npy-modules = []\n'
    },
}


@pytest.mark.parametrize("kind", PROJECTS)
def test_a_python_project_without_a_dockerfile(repository: Repository, kind: str) -> None:
    for name, text in PROJECTS[kind].items():
        (repository.folder / name).write_text(text)
    (repository.folder / ".python-version").write_text("3.12\n")
    (repository.folder / "app.py").write_text(
        "import itsdangerous, os, sys\n"
        "print(os.getuid(), sys.version_info[:2], os.access('/app', os.W_OK), sys.prefix)\n"
    )
    image = repository.build()
    assert any("no Dockerfile" in line for line in repository.said)
    assert run(image, "python", "app.py") == "10001 (3, 12) False /opt/venv"
    assert "cpython-312.pyc" in run(image, "sh", "-c", "find /opt/venv /app -name '*.pyc'")
    repository.said.clear()
    repository.build()
    assert steps(repository) == []


def test_a_locked_project(repository: Repository) -> None:
    (repository.folder / "pyproject.toml").write_text(
        '[project]\nname = "locked"\nversion = "1"\nrequires-python = ">=3.11"\n'
        'dependencies = ["uvicorn", "starlette"]\n'
    )
    (repository.folder / ".python-version").write_text("3.12\n")
    (repository.folder / "app.py").unlink()
    (repository.folder / "main.py").write_text(
        "from starlette.applications import Starlette\napp = Starlette()\n"
    )
    (repository.folder / "docker-compose.yml").write_text(
        "services:\n  web:\n    build: .\n    ports: ['80:8000']\n"
    )
    uv = Path(sys.executable).parent / "uv"
    subprocess.run([uv, "lock", "--quiet"], cwd=repository.folder, check=True, timeout=120)
    image = repository.build()
    container = docker("run", "--detach", image)
    try:
        ask = ("python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000')")
        deadline = time.monotonic() + 30
        said = ""
        while "404" not in said:
            assert time.monotonic() < deadline, said
            done = subprocess.run([DOCKER, "exec", container, *ask], capture_output=True, text=True,
                                  check=False)  # fmt: skip
            said = done.stderr
    finally:
        docker("rm", "--force", container)
