"""A push with a secret in it is refused, and the secret stays out of the host's repository."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.leaks.samples import GITHUB, PEM, TOKENS
from tests.server.pushing import Clone


@pytest.fixture(autouse=True)
def clean(live: Clone) -> Iterator[None]:
    """Each test begins at what is live."""
    live.git("fetch", "--quiet", "live")
    live.git("checkout", "--quiet", "--force", "-B", "main", "live/main")
    live.git("clean", "-fdxq")
    yield
    assert live.body().startswith("hello ")


def test_a_token_is_refused_with_its_file_and_line(live: Clone) -> None:
    live.write("src/mail.py", f'HOST = "mail"\nTOKEN = "{GITHUB}"\n')
    commit = live.commit("mail")
    said = live.refused()
    assert "the push has 1 secret in it" in said
    assert f"src/mail.py:2: GitHub Token ghp_{GITHUB[4:8]}… (came with the commit" in said
    assert "git rebase -i" in said
    assert "gear.leaks.toml" in said
    assert GITHUB not in said
    assert live.git("-C", live.state / "repository.git", "cat-file", "-e", commit, code=None).code


def test_a_secret_that_a_later_commit_takes_out_is_refused_all_the_same(live: Clone) -> None:
    live.write("id_ed25519", PEM)
    first = live.commit("oops")
    live.git("rm", "--quiet", "id_ed25519")
    live.version("2")
    said = live.refused()
    assert re.search(rf"id_ed25519:1: Private Key \(came with the commit {first[:7]}\w*, and", said)
    assert "is in the history though a later one has it no more" in said
    live.git("reset", "--quiet", "--soft", "live/main")
    live.commit("anew")
    live.push()
    assert live.body() == "hello 2\n"


def test_a_secret_that_only_a_merge_brings_in_is_refused(live: Clone) -> None:
    live.git("checkout", "--quiet", "-b", "side")
    live.write("side.txt", "side\n")
    live.commit("side")
    live.git("checkout", "--quiet", "main")
    live.write("main.txt", "main\n")
    live.commit("main")
    live.git("merge", "--quiet", "--no-ff", "--no-commit", "side")
    live.write("slipped.txt", TOKENS["Stripe"])
    live.commit("merge")
    assert "slipped.txt:1: Stripe Access Key sk_live_…" in live.refused()


def test_a_file_of_one_machine_s_variables_is_refused(live: Clone) -> None:
    live.write(".env", "PASSWORD=1234\n")
    live.write(".env.example", "PASSWORD=\n")
    live.commit("settings")
    said = live.refused()
    assert ".env: a file of variables for one machine (came with" in said
    assert "the push has 1 secret in it" in said


def test_a_false_alarm_is_allowed_in_git(live: Clone) -> None:
    live.write("tests/key.pem", PEM)
    live.write("tests/token.py", f'T = "{GITHUB}"  # pragma: allowlist secret\n')
    live.commit("tests")
    said = live.refused()
    assert "the push has 1 secret in it" in said
    mark = re.search(r"mark (\w+)\)", said)
    assert mark
    entry = f'[[allowed]]\npath = "tests/key.pem"\nwhy = "made up"\nmark = "{mark[1]}"\n'
    live.write("gear.leaks.toml", entry.replace("why", "wyh"))
    live.commit("allow")
    assert "gear.leaks.toml: Object contains unknown field `wyh`" in live.refused()
    live.write("gear.leaks.toml", entry)
    live.version("allowed")
    live.push()
    assert live.body() == "hello allowed\n"


def test_old_secrets_are_no_obstacle_to_new_commits(shop: Clone) -> None:
    # What is in the repository already was allowed, or came before anybody searched.
    shop.write(".env", "EDGE=1\n")
    shop.write("gear.leaks.toml", '[[allowed]]\npath = ".env"\nwhy = "no secrets are in it"\n')
    shop.commit("settings")
    shop.push()
    shop.git("rm", "--quiet", "gear.leaks.toml")
    shop.version("2")
    shop.push()
    assert shop.body() == "hello 2\n"


def test_many_findings_are_told_on_one_screen(live: Clone) -> None:
    for number in range(30):
        live.write(f"f{number:02}.py", f"A = '{TOKENS['Stripe'][:-2]}{number:02}'\n")
    live.commit("many")
    said = live.refused()
    assert "the push has 30 secrets in it; the first 10:" in said
    assert len(said.splitlines()) < 30


def test_large_and_binary_files_do_not_hold_up_a_push(live: Clone, tmp_path: Path) -> None:
    (live.folder / "large.txt").write_text("nothing here\n" * 10**6)
    (live.folder / "image.bin").write_bytes(b"\0" + GITHUB.encode())
    live.version("with files")
    live.push()
    assert live.body() == "hello with files\n"
