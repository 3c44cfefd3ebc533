"""What must not be released is refused with a clear reason, and nothing is changed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.server.pushing import NOBODY, Clone, HostFolder, clone_of


@pytest.fixture(autouse=True)
def nothing_changes(live: Clone, request: pytest.FixtureRequest) -> object:
    """Whatever a test of this module pushes to `live`, it goes on as before."""
    before = live.git("rev-parse", "first").out.strip() if _known(live) else live.head()
    if not _known(live):
        live.git("branch", "first")
    live.git("checkout", "--quiet", "--force", "-B", "main", "first")
    live.git("clean", "-fdxq")
    yield
    assert live.body() == "hello 1\n"
    assert live.remote() == before
    assert live.instances() == ["edge", "web.1.1"]
    assert not (live.state / "incoming").exists()
    assert {e["what"] for e in live.events()} <= {"live", "failed"}


def _known(live: Clone) -> bool:
    return live.git("rev-parse", "--verify", "--quiet", "first", code=None).code == 0


def compose(live: Clone, more: str = "", old: str = "", new: str = "") -> None:
    text = (live.folder / "docker-compose.yml").read_text()
    assert old in text
    live.write("docker-compose.yml", text.replace(old, new) + more)
    live.commit()


def test_other_branches_tags_and_deletions(live: Clone) -> None:
    live.git("tag", "-f", "v1")
    live.version("2")
    only = "only pushes to the branch main release"
    assert f"the branch feature was refused: {only}" in live.refused("HEAD:feature")
    assert f"the tag v1 was refused: {only}" in live.refused("v1")
    assert f"the branch feature was refused: {only}" in live.refused("main", "HEAD:feature")
    assert "the branch main cannot be deleted: it is what runs" in live.refused(":main")
    assert "cannot be" in live.refused("--force", ":main")
    hidden = live.push("HEAD:refs/gear/log", code=1).err
    assert "hidden ref" in hidden
    hostile = live.refused("HEAD:refs/heads/--upload-pack=x")
    assert f"the branch --upload-pack=x was refused: {only}" in hostile


def test_push_options_that_do_not_exist(live: Clone) -> None:
    live.version("2")
    said = live.refused("-o", "no-weit", "main")
    assert "unknown push option 'no-weit'; did you mean 'no-wait'?" in said
    assert "\x1b" not in live.refused("-o", "\x1b[31mred", "main")


def test_no_compose_file(live: Clone) -> None:
    live.git("rm", "--quiet", "docker-compose.yml")
    live.commit()
    assert f"commit {live.head()[:12]}: no Compose file here" in live.refused()


def test_an_empty_commit(live: Clone) -> None:
    live.git("rm", "--quiet", "-r", ".")
    live.commit()
    assert "no Compose file here" in live.refused()


def test_an_invalid_compose_file_with_all_its_mistakes(live: Clone) -> None:
    compose(live, "      helth: /x\n      port: 99999\n")
    said = live.refused()
    assert "docker-compose.yml:10 services.web.x-gear.helth" in said
    assert "did you mean 'health'?" in said
    assert "99999 is not a whole number from 1 to 65535" in said


def test_missing_variables_are_all_told_and_the_way_to_set_them(live: Clone) -> None:
    compose(live, "    environment: {A: '${STRIPE_KEY}', B: '${MAIL_HOST}'}\n")
    said = live.refused()
    assert "STRIPE_KEY" in said
    assert "MAIL_HOST" in said
    assert "gear app env shop" in said


def test_secrets_that_are_in_no_commit_come_from_the_host(live: Clone) -> None:
    compose(live, "    secrets: [token]\nsecrets:\n  token: {file: ./secret/token.txt}\n")
    said = live.refused("-o", "plan", "main")
    kept = live.state / "files" / "secret" / "token.txt"
    assert f"secrets.token.file: secret/token.txt is neither in the commit nor at {kept}" in said
    kept.parent.mkdir()
    kept.symlink_to("/etc/hostname")
    assert "is neither in the commit nor" in live.refused("-o", "plan", "main")
    kept.unlink()
    kept.write_text("42")
    assert "start web." in live.refused("-o", "plan", "main")


def test_env_files_that_are_in_no_commit_come_from_the_host(live: Clone) -> None:
    compose(live, "    env_file: [./config/live.env, ./config/more.env]\n")
    said = live.refused("-o", "plan", "main")
    kept = live.state / "files" / "config" / "live.env"
    for name in ("live.env", "more.env"):
        where = kept.with_name(name)
        assert f"the env_file config/{name} is neither in the commit nor at {where}" in said
    kept.parent.mkdir()
    kept.write_text("GREETING=hello-from-the-host\n")
    said = live.refused("-o", "plan", "main")
    assert "live.env" not in said
    assert "more.env is neither" in said
    kept.with_name("more.env").write_text("MORE=1\n")
    assert "start web." in live.refused("-o", "plan", "main")


def test_an_env_file_of_the_host_reaches_the_app_and_no_checkout(shop: Clone) -> None:
    (shop.state / "files" / "live.env").write_text("GREETING=hello-from-the-host\n")
    text = (shop.folder / "docker-compose.yml").read_text()
    (shop.folder / "docker-compose.yml").write_text(text + "    env_file: live.env\n")
    shop.commit("an env file")
    shop.push()
    words = ("run", "web", "--", "python", "-c", "import os; print(os.environ['GREETING'])")
    assert shop.gear(*words).out == "hello-from-the-host\n"
    assert not list((shop.state / "releases" / "1" / "src").rglob("live.env"))


def test_variables_of_the_machine_are_not_the_app_s(live: Clone) -> None:
    compose(live, "    environment: {A: '${SECRET_OF_THE_MACHINE}'}\n")
    said = live.refused(env={"SECRET_OF_THE_MACHINE": "42"})
    assert "SECRET_OF_THE_MACHINE" in said


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("secrets", "/etc"),
        ("up", "../../.."),
        ("deep/up", "../../x"),
        ("self", "/proc/self/environ"),
        ("docker-compose.override.yml", "/etc/passwd"),
    ],
)
def test_symbolic_links_that_lead_out(live: Clone, name: str, target: str) -> None:
    (live.folder / name).parent.mkdir(exist_ok=True)
    (live.folder / name).symlink_to(target)
    live.commit()
    said = live.refused()
    assert "1 symbolic links lead out of the repository" in said
    assert f"{name}: leads to {target}" in said


def test_links_that_lead_out_by_way_of_another_one(live: Clone) -> None:
    (live.folder / "a" / "b" / "c").mkdir(parents=True)
    (live.folder / "a" / "b" / "c" / "top").symlink_to("../../..")
    (live.folder / "a" / "b" / "c" / "out").symlink_to("top/../x")
    live.commit()
    assert "a/b/c/out: leads to top/../x" in live.refused()


def test_a_compose_file_that_is_a_link_inside_is_read(live: Clone) -> None:
    (live.folder / "deploy").mkdir()
    live.git("mv", "docker-compose.yml", "deploy/compose.yml")
    (live.folder / "docker-compose.yml").symlink_to("deploy/compose.yml")
    live.version("2")
    assert "start web." in live.refused("-o", "plan", "main")


def test_file_names_with_newlines(live: Clone) -> None:
    (live.folder / "a\nrm -rf x").write_text("")
    (live.folder / "b\x1b[31m").write_text("")
    live.commit()
    said = live.refused()
    assert "2 file names have control characters in them" in said
    assert r"'a\nrm -rf x'" in said
    assert "\x1b" not in said


def test_a_bomb_of_trees_is_counted_not_unpacked(live: Clone) -> None:
    blob = live.git("hash-object", "-w", "VERSION").out.strip()
    entry = f"100644 blob {blob}"
    for _ in range(10):
        listed = "".join(f"{entry}\t{number}\n" for number in range(10))
        tree = subprocess.run(
            ["git", "mktree"], input=listed, text=True, capture_output=True, check=True,
            cwd=live.folder,
        ).stdout.strip()  # fmt: skip
        entry = f"040000 tree {tree}"
    made = live.git("commit-tree", tree, "-p", "HEAD", "-m", "bomb").out.strip()
    said = live.refused(f"{made}:refs/heads/main")
    assert "the commit has 10,000,000,000 files, and at most 100,000 are taken" in said


@pytest.mark.slow
def test_a_gigabyte_in_a_small_pack(live: Clone) -> None:
    with (live.folder / "zeros").open("wb") as file:
        file.truncate(2**30)
    live.git("-c", "core.bigFileThreshold=1m", "-c", "core.compression=1", "add", "zeros")
    live.commit()
    said = live.push(code=None).err
    assert "MB" in said
    assert "1,024 MB of files, and at most 500 MB are taken" in said


def test_a_pack_beyond_the_limit_is_not_even_stored(host: HostFolder, tmp_path: Path) -> None:
    small = clone_of(host, "small", tmp_path)
    host.create("small", "--max-megabytes", "1")
    (small.folder / "noise").write_bytes(os.urandom(2 * 2**20))
    small.commit()
    assert "exceeds maximum allowed size" in small.push(code=1).err
    assert small.remote() == ""


def test_an_empty_repository_has_nothing_to_push(host: HostFolder, tmp_path: Path) -> None:
    empty = clone_of(host, "empty", tmp_path, source="")
    assert "src refspec main does not match any" in empty.push(code=1).err


@pytest.mark.slow
def test_five_thousand_files_are_no_trouble(live: Clone) -> None:
    for number in range(5000):
        path = live.folder / "many" / str(number % 50) / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{number}\n")
    live.commit()
    assert "start web." in live.refused("-o", "plan", "main")


def test_filters_and_hooks_of_the_commit_do_not_run(live: Clone, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    live.write(".gitattributes", "VERSION filter=evil ident text eol=crlf\n")
    live.write(".gitconfig", f'[filter "evil"]\n smudge = touch {mark}\n')
    live.write("hooks/post-checkout", f"#!/bin/sh\ntouch {mark}\n").chmod(0o755)
    live.commit()
    live.refused("-o", "plan", "main")
    assert not mark.exists()


def test_a_hostile_gitmodules_is_refused_by_git_itself(live: Clone) -> None:
    live.write(".gitmodules", '[submodule "x"]\n\tpath = x\n\turl = --upload-pack=touch /tmp/x\n')
    live.commit()
    assert "gitmodulesUrl" in live.push(code=1).err


def test_submodules_are_no_part_of_a_release(live: Clone) -> None:
    live.write(".gitmodules", '[submodule "x"]\n\tpath = lib\n\turl = https://example.com/x.git\n')
    live.git("update-index", "--add", "--cacheinfo", f"160000,{live.head()},lib")
    live.git("commit", "--quiet", "-m", "a submodule", "--", ".gitmodules", "lib", code=None)
    live.git("commit", "--quiet", "--allow-empty", "-m", "a submodule")
    said = live.refused("-o", "plan", "main")
    assert "lib: a submodule is not part of a release; its folder is empty" in said


@pytest.mark.parametrize(
    "name",
    ["../x", "--upload-pack=x", "a/b", "Shop", "", "a\nb", "x" * 41, "-x", "1st", ".", "shop$(id)"],
)
def test_names_that_are_none(live: Clone, name: str) -> None:
    for words in (("app", "create", "--", name), ("app", "env", "--", name)):
        said = live.host.gear(*words, code=3).err
        assert "is not an app name" in said
    listed = [path.name for path in (live.host.folder / "apps").iterdir()]
    assert listed == ["shop"]


@pytest.mark.parametrize("branch", ["--upload-pack=x", "a..b", "a b", "x.lock", "/x", "x/", "a~1"])
def test_branches_that_are_none(live: Clone, branch: str) -> None:
    said = live.host.gear("app", "create", "other", f"--branch={branch}", code=3).err
    assert "is not a branch name" in said
    assert not (live.host.folder / "apps" / "other").exists()


def test_a_push_from_a_stale_clone(live: Clone, tmp_path: Path) -> None:
    other = tmp_path / "other"
    subprocess.run(
        ["git", "clone", "--quiet", live.state / "repo.git", other], check=True,
        env={**os.environ, **NOBODY},
    )  # fmt: skip
    live.git("commit", "--quiet", "--amend", "--allow-empty", "-m", "another first")
    assert "non-fast-forward" in live.push(code=1).err


def test_two_domains_claimed_by_two_apps(host: HostFolder, tmp_path: Path) -> None:
    one, other = clone_of(host, "one", tmp_path), clone_of(host, "other", tmp_path)
    for clone, names in ((one, "[a.example, b.example]"), (other, "[b.example, c.example]")):
        text = (clone.folder / "docker-compose.yml").read_text()
        clone.write("docker-compose.yml", f"x-gear:\n  domains: {names}\n{text}")
        clone.commit()
    one.push()
    said = other.refused()
    assert "x-gear.domains: b.example is the app one's" in said
    assert "a.example" not in said
    assert other.remote() == ""


def test_a_domain_that_cannot_be_shared_by_path_without_docker(
    host: HostFolder, tmp_path: Path
) -> None:
    first, second = clone_of(host, "first", tmp_path), clone_of(host, "second", tmp_path)
    for clone, path in ((first, "/"), (second, "/second")):
        text = (clone.folder / "docker-compose.yml").read_text()
        head = "x-gear:\n  domains: [shared.example]\n"
        clone.write("docker-compose.yml", f"{head}{text}      routes: [{path}]\n")
        clone.commit()
    first.push()
    said = second.refused()
    assert "x-gear.domains: shared.example is the app first's, whatever their paths" in said
    assert "here each app has an nginx of its own" in said
    assert second.remote() == ""


def test_there_is_no_host(tmp_path: Path) -> None:
    nowhere = HostFolder(tmp_path / "nowhere")
    said = nowhere.gear("app", "list", code=4).err
    assert "there is no host here" in said
    assert "`gear host init` makes one" in said
