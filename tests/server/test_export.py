"""What `gear server export` writes, word for word, and what it refuses."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from geartrain.cli.server import server
from geartrain.errors import GearError
from geartrain.render.files import File, Tree
from geartrain.server.prepare import contents, layout
from geartrain.server.prepare.export import ansible, cloud_init
from geartrain.server.prepare.export.goods import Goods
from geartrain.server.prepare.payload import Payload
from tests.conftest import Golden

GOODS = Goods(version="1.2.3-0123456789ab", lock="1f" * 32, digest="a5" * 32)


def modes(tree: Tree) -> dict[str, tuple[int, str]]:
    return {name: (file.mode, file.text) for name, file in tree.items()}


def test_the_role(golden: Golden) -> None:
    golden("ansible/server", modes(ansible.role(GOODS)))


def test_the_user_data(golden: Golden) -> None:
    url = cloud_init.user_data(GOODS, url=f"https://files.example.com/{GOODS.archive}")
    whole = cloud_init.user_data(GOODS, archive="QUJD")
    assert len(url) < cloud_init.SMALL / 2
    golden("cloud-init/server", modes({"fetched": File(0o644, url), "whole": File(0o644, whole)}))


def tasks(said: object) -> Iterator[dict[str, object]]:
    """Every task, also those in blocks."""
    assert isinstance(said, list)
    for task in said:
        if "block" in task:
            yield from tasks(task["block"])
        else:
            yield task


def test_the_role_takes_no_collection() -> None:
    tree = ansible.role(GOODS)
    known = {"name", "register", "when", "loop", "vars", "notify", "environment", "changed_when",
             "failed_when", "check_mode"}  # fmt: skip
    for part in ("tasks", "handlers"):
        for task in tasks(yaml.safe_load(tree[f"roles/geartrain/{part}/main.yml"].text)):
            (module,) = task.keys() - known
            assert module.startswith("ansible.builtin."), task


def test_texts_and_paths_are_those_of_the_steps() -> None:
    tree = ansible.role(GOODS)
    files = "roles/geartrain/files"
    assert tree[f"{files}/daemon.json"].text == contents.DAEMON
    assert tree[f"{files}/journald.conf"].text == contents.JOURNAL
    assert {n: tree[f"{files}/units/{n}"] for n in contents.UNITS} == contents.UNITS
    said = tree["roles/geartrain/tasks/main.yml"].text
    for path in (layout.DOCKER, layout.JOURNAL, layout.CURRENT, layout.COMMAND, layout.HOST):
        assert str(path) in said


def test_the_script_of_the_user_data_is_one_that_sh_reads(tmp_path: Path) -> None:
    said = yaml.safe_load(cloud_init.user_data(GOODS, url="https://x.example/a'b;c.tar.gz"))
    script = next(f["content"] for f in said["write_files"] if f["path"].endswith(".sh"))
    (tmp_path / "setup.sh").write_text(script)
    subprocess.run(["sh", "-n", tmp_path / "setup.sh"], check=True, timeout=10)
    assert """'https://x.example/a'"'"'b;c.tar.gz'""" in script, "what a user writes is one word"


def export(*words: str | Path) -> str:
    done = CliRunner().invoke(server, ["export", *map(str, words)], catch_exceptions=False,
                              standalone_mode=False)  # fmt: skip
    return done.output


def test_a_newer_export_takes_the_place_of_an_older(tmp_path: Path) -> None:
    old = tmp_path / "roles/geartrain/files/geartrain-0.0.1-000000000000.tar.gz"
    export("ansible", tmp_path)
    old.write_bytes(b"old")
    said = export("ansible", tmp_path)
    (archive,) = old.parent.glob("*.tar.gz")
    assert archive.name == f"geartrain-{Payload().version}.tar.gz"
    assert f"wrote {archive}" in said


def test_what_is_in_the_folder_already_stays(tmp_path: Path) -> None:
    (tmp_path / "mine.yml").write_text("mine\n")
    for kind in ("ansible", "cloud-init"):
        with pytest.raises(GearError, match="something else in it"):
            export(kind, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yml"]


def test_the_archive_is_where_the_user_data_says(tmp_path: Path) -> None:
    said = export("cloud-init", tmp_path, "--archive", "https://files.example.com/gear/")
    (archive,) = tmp_path.glob("*.tar.gz")
    text = (tmp_path / "user-data").read_text()
    assert f"https://files.example.com/gear/{archive.name} " in text
    assert hashlib.sha256(archive.read_bytes()).hexdigest() in text
    assert "KB" not in said


def test_without_an_address_the_archive_is_in_the_user_data(tmp_path: Path) -> None:
    said = export("cloud-init", tmp_path)
    assert "--archive URL makes it small" in said
    files = yaml.safe_load((tmp_path / "user-data").read_text())["write_files"]
    assert Payload().packed() in [base64.b64decode(f["content"]) for f in files if "encoding" in f]


def test_an_address_is_one() -> None:
    done = CliRunner().invoke(server, ["export", "cloud-init", "x", "--archive", "ftp://a\nb"])
    assert done.exit_code == 2
    assert "is not like https://" in done.output
