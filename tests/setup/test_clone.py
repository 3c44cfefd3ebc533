"""What `./gear` does with a clone: set up once, never half, and run that clone's own code."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.setup

ROOT = Path(__file__).parent.parent.parent
KEPT = ("click", "uv")
"""A lock of these two alone is set up in seconds."""


def entries(lock: str) -> dict[str, str]:
    """The requirements of a lock file by name, each with its hashes."""
    found: dict[str, str] = {}
    name = ""
    for line in lock.splitlines(keepends=True):
        if line[0].isalpha():
            name = line.partition("==")[0]
        if name:
            found[name] = found.get(name, "") + line
    return found


def write_lock(clone: Path, *names: str) -> None:
    known = entries((ROOT / "requirements/runtime.txt").read_text())
    (clone / "requirements/runtime.txt").write_text("".join(known[name] for name in names))


def started(clone: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [clone / "gear", "--version"],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ran(program: Path | str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, "--version"],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def copied(folder: Path) -> Path:
    """The tree under test with a short lock, not set up."""
    skip = shutil.ignore_patterns("__pycache__")
    for name in ("src", "requirements"):
        shutil.copytree(ROOT / name, folder / name, ignore=skip)
    shutil.copy2(ROOT / "gear", folder)
    write_lock(folder, *KEPT)
    return folder


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return copied(tmp_path / "my clone")


@pytest.fixture(scope="session")
def set_up_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copied(tmp_path_factory.mktemp("once") / "clone")
    done = ran(folder / "gear", folder)
    assert done.returncode == 0, done.stderr
    assert "first use: setting up .venv" in done.stderr
    return folder


@pytest.fixture
def ready(set_up_once: Path, tmp_path: Path) -> Path:
    """A clone that was set up, and then moved here."""
    return shutil.copytree(set_up_once, tmp_path / "moved", symlinks=True)


def test_it_runs_through_a_symlink_from_any_folder(ready: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/gear").symlink_to(Path("../moved/gear"))
    (tmp_path / "gear").symlink_to(tmp_path / "bin/gear")
    done = ran(tmp_path / "gear", Path("/"))
    assert (done.returncode, done.stderr) == (0, "")
    relative = ran("./gear", tmp_path)
    assert (relative.stdout, relative.stderr) == (done.stdout, "")
    assert done.stdout.startswith("gear ")


def test_a_moved_clone_runs_its_own_newest_code(ready: Path) -> None:
    source = ready / "src/geartrain/__init__.py"
    before = source.stat()
    source.write_text(source.read_text().replace('__version__ = "0', '__version__ = "9'))
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert source.stat().st_size == before.st_size
    assert ran(ready / "gear", ready).stdout.startswith("gear 9")


def test_python_files_of_the_users_folder_are_not_imported(ready: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "geartrain").mkdir(parents=True)
    for name in ("geartrain/__init__.py", "click.py", "runpy.py", "sitecustomize.py"):
        (project / name).write_text("raise SystemExit('imported from the project')")
    done = ran(ready / "gear", project, PYTHONPATH=str(project))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_changed_lock_is_followed(ready: Path) -> None:
    packages = next((ready / ".venv/lib").glob("python*/site-packages"))
    assert (packages / "click").exists()
    write_lock(ready, "uv", "cronsim")
    done = ran(ready / "gear", ready)
    assert done.returncode == 0, done.stderr
    assert "the lock file has changed; updating .venv" in done.stderr
    assert (packages / "cronsim").exists()
    assert not (packages / "click").exists()
    assert ran(ready / "gear", ready).stderr == ""


def test_two_at_once_set_up_once(clone: Path) -> None:
    both = [started(clone), started(clone)]
    said = [process.communicate(timeout=100) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("first use" in err for _, err in said) == 1
    assert sum("another set-up is under way" in err for _, err in said) == 1


def test_a_set_up_that_was_killed_is_done_again(clone: Path) -> None:
    first = started(clone)
    assert first.stderr is not None
    for line in first.stderr:
        if "installing requirements/runtime.txt" in line:
            break
    os.killpg(first.pid, 9)
    first.communicate(timeout=60)
    done = ran(clone / "gear", clone)
    assert done.returncode == 0, done.stderr
    assert "first use: setting up .venv" in done.stderr


def test_an_index_that_cannot_be_reached_is_said_and_nothing_counts_as_ready(clone: Path) -> None:
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_EXTRA_INDEX_URL": ""}
    done = ran(clone / "gear", clone, **nowhere, PIP_RETRIES="0", PIP_NO_CACHE_DIR="1")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "gear: pip failed with exit code 1; its last lines stand above" in done.stderr
    assert "No matching distribution found for" in done.stderr
    assert "PIP_INDEX_URL" in done.stderr
    assert (clone / ".venv/geartrain.lock").read_bytes() == b""


def test_a_file_that_is_not_the_locked_one_is_refused(clone: Path) -> None:
    lock = clone / "requirements/runtime.txt"
    good = entries(lock.read_text())
    click = good["click"].splitlines()[0]
    lock.write_text(f"{good['uv']}{click}\n    --hash=sha256:{'0' * 64}\n")
    done = ran(clone / "gear", clone)
    assert done.returncode == 1
    assert "Hash mismatch for `click" in done.stderr


def test_somebody_elses_environment_is_left_alone(clone: Path) -> None:
    (clone / ".venv/bin").mkdir(parents=True)
    (clone / ".venv/bin/mine").write_text("")
    done = ran(clone / "gear", clone)
    assert done.returncode == 1
    assert "was not made by Geartrain" in done.stderr
    assert "move it away: mv " in done.stderr
    assert [path.name for path in (clone / ".venv/bin").iterdir()] == ["mine"]
