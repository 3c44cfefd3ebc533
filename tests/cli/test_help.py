"""Help, the command reference and the shell's completion agree with the commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from geartrain.cli import reference
from geartrain.cli.main import COMMANDS
from geartrain.errors import Exit
from tests.cli.conftest import Make
from tests.cli.running import APPS, Project, base_environment

DOCS = APPS.parent.parent / "docs"
EVERY = dict(reference.commands())


@pytest.fixture
def anywhere(tmp_path: Path) -> Project:
    return Project(tmp_path, 0)


@pytest.mark.parametrize("name", EVERY)
def test_every_command_has_help_with_an_example(anywhere: Project, name: str) -> None:
    for option in ("--help", "-h"):
        text = anywhere.gear(*name.split()[1:], option).out
        assert text.startswith(f"Usage: {name}")
        assert re.search(rf"\n  Examples:\n    {name}", text), text
        assert max(len(line) for line in text.splitlines()) <= 80


@pytest.mark.parametrize("name", EVERY)
def test_every_option_says_what_it_does(name: str) -> None:
    options = [param for param in EVERY[name].params if isinstance(param, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_the_overview_lists_every_command(anywhere: Project) -> None:
    for words in ((), ("--help",)):
        shown = anywhere.gear(*words, code=None)
        listed = re.findall(r"^  ([a-z]+)  ", shown.said, re.M)
        assert set(COMMANDS) <= set(listed)
        assert "gear up -d" in shown.said


def test_the_one_line_of_the_overview_is_about_that_command() -> None:
    assert all(line.endswith(".") and len(line) < 80 for _, line in COMMANDS.values())


def test_the_version(anywhere: Project) -> None:
    from geartrain import __version__

    for option in ("--version", "-V"):
        assert anywhere.gear(option).out == f"gear {__version__}\n"


def test_the_reference_is_current() -> None:
    page = (DOCS / "commands.md").read_text()
    assert reference.page(page) == page, "run `python docs/generate.py`"
    for name in EVERY:
        assert f"\n### {name}\n" in page


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(LookupError, match="markers of commands"):
        reference.page("nothing here")


def test_every_exit_code_is_documented() -> None:
    page = (DOCS / "commands.md").read_text()
    for code in Exit:
        assert f"\n| {code.value} | " in page


# -- completion -------------------------------------------------------------------


def complete(line: str, cwd: Path) -> list[str]:
    """What bash is offered at the end of a line."""
    env = {
        **base_environment(), "_GEAR_COMPLETE": "bash_complete",
        "COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "geartrain"], env=env, cwd=cwd, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.stderr == ""
    return [one.partition(",")[2] for one in done.stdout.splitlines() if one]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("gear lo", ["logs"]),
        ("gear re", ["redis", "releases", "restart"]),
        ("gear logs --si", ["--since"]),
        ("gear db ", ["shell"]),
        ("gear db shell --as ", ["owner", "app", "read", "superuser"]),
        ("gear completion ", ["bash", "zsh", "fish"]),
        ("gear nonsense ", list(COMMANDS)),
    ],
)
def test_completion(tmp_path: Path, line: str, offered: list[str]) -> None:
    assert sorted(complete(line, tmp_path)) == sorted(offered)


def test_services_are_completed(make: Make) -> None:
    project = make("worker")
    project.up()
    below = project.folder / "below"
    below.mkdir()
    assert complete("gear restart w", project.folder) == ["web", "worker"]
    assert complete("gear exec wo", below) == ["worker"]
    assert complete("gear wait zz", below) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell(anywhere: Project, shell: str) -> None:
    script = anywhere.gear("completion", shell).out
    assert f"_GEAR_COMPLETE={shell}_complete" in script


def test_bash_takes_the_script(anywhere: Project, tmp_path: Path) -> None:
    """`gear lo<TAB>` in a real bash."""
    script = tmp_path / "gear.bash"
    script.write_text(anywhere.gear("completion", "bash").out)
    program = tmp_path / "gear"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m geartrain "$@"\n')
    program.chmod(0o755)
    ask = (
        'source "$1"; COMP_WORDS=(gear lo); COMP_CWORD=1; _gear_completion gear lo gear;'
        ' printf "%s\\n" "${COMPREPLY[@]}"'
    )
    env = {**base_environment(), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", ask, "bash", script], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout == "logs\n"
