"""`gear new`: what it writes is the example, under another name, in Git."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from geartrain.cli.new import CLONE, NAMED, files
from tests.cli.running import Project

ROOT = Path(__file__).parents[2]


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", folder, *words], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


@pytest.fixture
def anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A folder of somebody whom Git knows nothing of."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    home = {"HOME": str(tmp_path / "home"), "GIT_CONFIG_NOSYSTEM": "1"}
    return Project(tmp_path, 0, env=home)


def content(folder: Path) -> dict[str, str]:
    names = git(folder, "ls-files", "-z").rstrip("\0").split("\0")
    return {name: (folder / name).read_text() for name in names}


def test_the_example_and_the_new_project_have_not_drifted(anywhere: Project) -> None:
    anywhere.gear("new", "links")
    tracked = git(ROOT, "ls-files", "-z", "examples/links").rstrip("\0").split("\0")
    example = {
        name.removeprefix("examples/links/"): (ROOT / name).read_text()
        for name in tracked
        if (ROOT / name).exists()
    }
    assert content(anywhere.folder / "links") == example


def test_another_name_changes_these_places_and_no_other(anywhere: Project) -> None:
    anywhere.gear("new", "web-shop-2")
    changed = {
        path: text
        for path, text in content(anywhere.folder / "web-shop-2").items()
        if text != (CLONE / path).read_text()
    }
    assert changed.keys() == {path for path, _ in NAMED}
    for path, text in changed.items():
        old, new = (CLONE / path).read_text(), text
        for where, said in NAMED:
            if where == path:
                assert old.count(said) == 1
                old = old.replace(said, said.replace("links", "web-shop-2"))
        assert old == new


def test_everything_is_committed_on_main(anywhere: Project) -> None:
    anywhere.gear("new", "shop")
    shop = anywhere.folder / "shop"
    assert git(shop, "status", "--porcelain", "--ignored") == ""
    assert git(shop, "log", "--format=%an <%ae> %s%d") == (
        "gear <gear@localhost> Start shop (HEAD -> main)\n"
    )


def test_it_is_committed_as_whom_git_knows(anywhere: Project) -> None:
    home = anywhere.folder / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@example.com\n")
    # As from a hook of another repository, whose place is none of ours.
    anywhere.gear("new", "shop", env={"GIT_DIR": str(ROOT / ".git"), "GIT_INDEX_FILE": "x"})
    said = git(anywhere.folder / "shop", "log", "--format=%an <%ae>")
    assert said == "Ada <ada@example.com>\n"


def test_no_credential_is_in_it() -> None:
    paths = files()
    assert ".env" not in paths
    assert not [path for path in paths if path.endswith((".pem", ".key"))]
    example = paths[".env.example"].decode().splitlines()
    assert [line for line in example if line and not line.startswith("#")] == []
    for word in ("PASSWORD", "SECRET", "TOKEN"):
        assert word not in paths["docker-compose.yml"].decode().upper()


def test_what_is_there_is_left_alone(anywhere: Project) -> None:
    (anywhere.folder / "shop").mkdir()
    anywhere.gear("new", "shop")  # an empty folder may be there
    before = git(anywhere.folder / "shop", "log", "--format=%H")
    refused = anywhere.gear("new", "shop", code=1)
    assert "is there already" in refused.err
    assert git(anywhere.folder / "shop", "log", "--format=%H") == before


@pytest.mark.parametrize("name", ["Shop", "2shop", "shop_1", "sh op", "s" * 41, "..", ".", "ŝop"])
def test_a_name_that_no_app_can_have_is_refused(anywhere: Project, name: str) -> None:
    refused = anywhere.gear("new", name, code=3)
    assert "lower-case letters" in refused.err
    assert list(anywhere.folder.iterdir()) == []


def test_when_git_fails_nothing_is_left(anywhere: Project) -> None:
    # Python by its own path; nothing else is found.
    assert Path(sys.executable).is_absolute()
    refused = anywhere.gear("new", "shop", code=4, env={"PATH": "/nonexistent"})
    assert "git is not there" in refused.err
    assert list(anywhere.folder.iterdir()) == []
