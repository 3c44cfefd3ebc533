"""The working tree as a commit, and a release's own checkout of it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geartrain.app.model import App, Build, Mount, MountKind, Role, Service, Source
from geartrain.app.policy import ServicePolicy
from geartrain.release import git, snapshot

HOSTILE = [
    "with space", "with\nnewline", "-dash", "--force", "*", "?", "[a]", ":(top)x", "!bang",
    "#hash", "ünïcode", "quo\"te", "back\\slash", "trailing ", "$(id)", "tab\t", ":colon",
]  # fmt: skip


def put(path: Path, text: str = "x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def files(repository: Path, tree: str) -> set[str]:
    listed = git.Git(repository)("ls-tree", "-r", "-z", "--name-only", tree)
    return {name for name in listed.split("\0") if name}


def make_repository(folder: Path, *, commit: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    plain = {"HOME": str(folder), "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1"}
    who = ["-c", "user.name=x", "-c", "user.email=x@example.com"]

    def call(*words: str) -> None:
        subprocess.run(["git", *who, *words], cwd=folder, env=plain, check=True)

    call("init", "--quiet")
    if commit:
        call("add", ".")
        call("commit", "--quiet", "--allow-empty", "-m", "first")


# -- what is taken ----------------------------------------------------------


def test_ignored_files_are_left_out_unless_the_compose_file_names_them(
    repository: Path, project: Path
) -> None:
    put(project / ".gitignore", "dist/\n*.log\n")
    for name in ("a.py", "a.log", "dist/app.js", "other/dist/x", ".env", "venv/bin/python"):
        put(project / name)
    put(project / ".gear" / "run" / "x")
    put(project / "node_modules" / "a" / "index.js")
    assert files(repository, snapshot.take(repository, project)) == {".gitignore", "a.py"}
    taken = files(repository, snapshot.take(repository, project, ["dist", "nowhere", "."]))
    assert taken == {".gitignore", "a.py", "dist/app.js"}
    assert files(repository, snapshot.take(repository, project)) == {".gitignore", "a.py"}


def test_what_gets_ignored_later_is_left_out_from_then_on(repository: Path, project: Path) -> None:
    put(project / "secret.txt")
    put(project / "a.py")
    assert "secret.txt" in files(repository, snapshot.take(repository, project))
    put(project / ".gitignore", "secret.txt\n")
    assert "secret.txt" not in files(repository, snapshot.take(repository, project))


def test_deleted_and_renamed_files_go(repository: Path, project: Path) -> None:
    put(project / "a" / "b.py")
    put(project / "c.py")
    snapshot.take(repository, project)
    shutil.rmtree(project / "a")
    (project / "c.py").rename(project / "a")
    assert files(repository, snapshot.take(repository, project)) == {"a"}


def test_ignore_files_of_whoever_acts_do_not_count(
    repository: Path, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "home" / ".config" / "git" / "ignore", "*.py\n")
    put(tmp_path / "home" / ".gitconfig", "[core]\n\tautocrlf = true\n\thooksPath = /tmp\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("GIT_INDEX_FILE", "/nonexistent/index")
    put(project / "a.py")
    assert files(repository, snapshot.take(repository, project)) == {"a.py"}


@pytest.mark.parametrize("commit", [True, False])
def test_repositories_inside_the_project_are_files_like_any_other(
    repository: Path, project: Path, commit: bool
) -> None:
    put(project / "a.py")
    put(project / "vendor" / "lib" / "b.py")
    put(project / "vendor" / "lib" / ".gitignore", "*.tmp\n")
    put(project / "vendor" / "lib" / "c.tmp")
    put(project / "vendor" / "lib" / "deep" / "d.py")
    make_repository(project / "vendor" / "lib" / "deep", commit=commit)
    make_repository(project / "vendor" / "lib", commit=commit)
    make_repository(project / "nothing", commit=commit)
    expected = {
        "a.py", "vendor/lib/b.py", "vendor/lib/.gitignore", "vendor/lib/deep/d.py"
    }  # fmt: skip
    assert files(repository, snapshot.take(repository, project)) == expected
    (project / "vendor" / "lib" / "b.py").unlink()
    put(project / "vendor" / "lib" / "e.py")
    after = expected - {"vendor/lib/b.py"} | {"vendor/lib/e.py"}
    assert files(repository, snapshot.take(repository, project)) == after


def test_a_project_inside_another_repository(repository: Path, tmp_path: Path) -> None:
    put(tmp_path / "outer" / "other.py")
    put(tmp_path / "outer" / "apps" / "shop" / "a.py")
    make_repository(tmp_path / "outer", commit=True)
    before = subprocess.check_output(["git", "status"], cwd=tmp_path / "outer")
    tree = snapshot.take(repository, tmp_path / "outer" / "apps" / "shop")
    assert files(repository, tree) == {"a.py"}
    assert subprocess.check_output(["git", "status"], cwd=tmp_path / "outer") == before


def test_a_name_through_a_link_is_taken_where_it_is(repository: Path, project: Path) -> None:
    put(project / ".gitignore", "dist\n")
    put(project / "frontend" / "dist" / "x.js")
    (project / "web").symlink_to("frontend")
    (project / "out").symlink_to("/etc")
    tree = snapshot.take(repository, project, ["web/dist", "out/passwd", "../elsewhere", "/etc"])
    assert files(repository, tree) == {".gitignore", "frontend/dist/x.js", "web", "out"}


def test_a_lock_that_a_killed_git_left_is_no_end(repository: Path, project: Path) -> None:
    put(project / "a.py")
    snapshot.take(repository, project)
    (repository / "snapshot.index.lock").touch()
    put(project / "b.py")
    assert files(repository, snapshot.take(repository, project)) == {"a.py", "b.py"}


def test_nothing_to_do_costs_little(repository: Path, project: Path) -> None:
    for number in range(2000):
        put(project / f"d{number % 20}" / f"f{number}.py", str(number))
    first = snapshot.take(repository, project)
    costs = []
    for _ in range(3):
        began = worked()
        assert snapshot.take(repository, project) == first
        costs.append(worked() - began)
    assert min(costs) < 0.25


def worked() -> float:
    """Seconds of a processor's time that this process and those it ran have had."""
    return sum(os.times()[:4])


# -- what a release gets ----------------------------------------------------


def checked_out(repository: Path, project: Path, folder: Path) -> Path:
    tree = snapshot.take(repository, project)
    snapshot.check_out(repository, snapshot.commit(repository, tree, "test"), folder)
    return folder


def test_a_checkout_has_the_project_s_bytes_modes_and_links(
    repository: Path, project: Path, tmp_path: Path
) -> None:
    put(project / ".gitattributes", "* text=auto eol=crlf\n*.id ident\n*.big filter=lfs\n")
    (project / "crlf.txt").write_bytes(b"a\r\nb\nc\0\xff")
    put(project / "x.id", "$Id$\n")
    put(project / "x.big", "big\n")
    put(project / "run.sh", "#!/bin/sh\n")
    (project / "run.sh").chmod(0o755)
    put(project / "plain", "")
    (project / "link").symlink_to("run.sh")
    (project / "dangling").symlink_to("nowhere")
    (project / "folder").symlink_to("/usr")
    out = checked_out(repository, project, tmp_path / "out")
    for name in (".gitattributes", "crlf.txt", "x.id", "x.big", "run.sh", "plain"):
        assert (out / name).read_bytes() == (project / name).read_bytes(), name
    assert os.access(out / "run.sh", os.X_OK)
    assert not (out / "plain").stat().st_mode & 0o111
    for name in ("link", "dangling", "folder"):
        assert (out / name).readlink() == (project / name).readlink()


def test_hostile_names(repository: Path, project: Path, tmp_path: Path) -> None:
    for name in HOSTILE:
        put(project / name / name, name)
    out = checked_out(repository, project, tmp_path / "out")
    assert {path.name for path in out.iterdir()} == set(HOSTILE)
    for name in HOSTILE:
        assert (out / name / name).read_text() == name
    put(project / ".gitignore", "*\n")
    tree = snapshot.take(repository, project, HOSTILE)
    assert {name.partition("/")[0] for name in files(repository, tree)} == set(HOSTILE)


NAMES = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=20
)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.dictionaries(NAMES, st.binary(max_size=50), max_size=4))
def test_any_files_come_back_as_they_were(
    repository: Path, tmp_path: Path, content: dict[str, bytes]
) -> None:
    shutil.rmtree(tmp_path / "any", ignore_errors=True)
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    (tmp_path / "any").mkdir()
    for name, data in content.items():
        if name.lower() not in (".", "..", ".git", ".gitignore", ".gitmodules"):
            (tmp_path / "any" / f"f{name}").write_bytes(data)
    out = checked_out(repository, tmp_path / "any", tmp_path / "out")
    assert {p.name: p.read_bytes() for p in out.iterdir()} == {
        p.name: p.read_bytes() for p in (tmp_path / "any").iterdir()
    }


def test_the_disk_has_a_checkout_before_anybody_finds_it(
    repository: Path, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("app.py", "deep/er/x", "run.sh"):
        put(project / name)
    (project / "link").symlink_to("nowhere")
    synced: set[int] = set()
    real, rename = os.fsync, Path.rename

    def note(fd: int) -> None:
        synced.add(os.fstat(fd).st_ino)
        real(fd)

    def look(path: Path, target: Path) -> Path:
        if target.name == "out":
            there = [path, *path.rglob("*")]
            missed = [one.name for one in there if one.lstat().st_ino not in synced]
            assert missed == ["link"]
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(Path, "rename", look)
    checked_out(repository, project, tmp_path / "out")


def test_a_checkout_is_all_or_nothing(repository: Path, project: Path, tmp_path: Path) -> None:
    for number in range(400):
        put(project / f"f{number}", str(number) * 100)
    name = snapshot.commit(repository, snapshot.take(repository, project), "test")
    out = tmp_path / "release" / "src"
    for wait in (0.0, 0.004, 0.008, 0.012, 0.016, 0.02):
        child = os.fork()
        if not child:
            try:
                os.setpgid(0, 0)
                snapshot.check_out(repository, name, out)
            finally:
                os._exit(0)
        os.setpgid(child, child)
        time.sleep(wait)
        os.killpg(child, signal.SIGKILL)  # with its Git, as the holder of the host's lock sees to
        os.waitpid(child, 0)
        assert not out.exists() or len(list(out.iterdir())) == 400
    snapshot.check_out(repository, name, out)
    assert len(list(out.iterdir())) == 400
    assert [path.name for path in out.parent.iterdir()] == ["src"]
    snapshot.check_out(repository, "nonexistent", out)  # it is there: nothing is done


# -- what counts as a change ------------------------------------------------

USED = Service(
    name="web",
    role=Role.WEB,
    build=Build(context="backend"),
    mounts=(
        Mount(kind=MountKind.BIND, source="conf/app.ini", target="/etc/app.ini"),
        Mount(kind=MountKind.BIND, source="data", target="/data"),
        Mount(kind=MountKind.BIND, source="backend/static", target="/static"),
    ),
    gear=ServicePolicy(static={"/": "site"}),
)
APP = App(name="shop", services={"web": USED}, configs={"c": Source(file="conf/c.ini")})
CHANGES: dict[str, tuple[Callable[[Path], object], bool]] = {
    "a file of the build": (lambda p: put(p / "backend" / "a.py", "2"), True),
    "a new file of the build": (lambda p: put(p / "backend" / "new.py"), True),
    "a deleted file of the build": (lambda p: (p / "backend" / "a.py").unlink(), True),
    "the mode of a file": (lambda p: (p / "backend" / "a.py").chmod(0o755), True),
    "a mounted file": (lambda p: put(p / "conf" / "app.ini", "2"), True),
    "a file below a mount in the build": (lambda p: put(p / "backend/static/x", "2"), True),
    "a static file": (lambda p: put(p / "site" / "index.html", "2"), True),
    "a config": (lambda p: put(p / "conf" / "c.ini", "2"), True),
    "the readme": (lambda p: put(p / "README.md", "2"), False),
    "a neighbour of a mounted file": (lambda p: put(p / "conf" / "other.ini", "2"), False),
    "a comment in the Compose file": (lambda p: put(p / "docker-compose.yml", "# 2"), False),
    "ignored data": (lambda p: put(p / "data" / "base", "2"), False),
    "its times": (lambda p: os.utime(p / "backend" / "a.py", (1, 1)), False),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_fingerprint_changes_if_and_only_if_something_used_does(
    repository: Path, project: Path, change: str
) -> None:
    put(project / ".gitignore", "data\n")
    for name in ("backend/a.py", "backend/static/x", "conf/app.ini", "conf/other.ini"):
        put(project / name)
    for name in ("conf/c.ini", "site/index.html", "README.md", "docker-compose.yml", "data/base"):
        put(project / name)
    before = snapshot.fingerprint(repository, snapshot.take(repository, project), APP)
    alter, counts = CHANGES[change]
    alter(project)
    after = snapshot.fingerprint(repository, snapshot.take(repository, project), APP)
    assert (before != after) is counts


def test_the_fingerprint_changes_with_the_model(repository: Path, project: Path) -> None:
    from msgspec.structs import replace

    put(project / "backend" / "a.py")
    tree = snapshot.take(repository, project)
    other = replace(APP, services={"web": replace(USED, replicas=2)})
    assert snapshot.fingerprint(repository, tree, APP) != snapshot.fingerprint(
        repository, tree, other
    )


def test_the_fingerprint_of_an_app_built_from_the_whole_project(
    repository: Path, project: Path
) -> None:
    whole = App(
        name="shop",
        services={"web": Service(name="web", role=Role.WEB, build=Build(context="."))},
    )
    put(project / "a.py")
    before = snapshot.fingerprint(repository, snapshot.take(repository, project), whole)
    put(project / "new\nline")
    after = snapshot.fingerprint(repository, snapshot.take(repository, project), whole)
    assert before != after


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_count_too(repository: Path, project: Path, name: str) -> None:
    mount = Mount(kind=MountKind.BIND, source=name, target="/x")
    app = App(name="shop", services={"web": Service(name="web", role=Role.WEB, mounts=(mount,))})
    put(project / name / "x")
    before = snapshot.fingerprint(repository, snapshot.take(repository, project), app)
    put(project / "beside")
    assert before == snapshot.fingerprint(repository, snapshot.take(repository, project), app)
    put(project / name / "x", "2")
    assert before != snapshot.fingerprint(repository, snapshot.take(repository, project), app)
