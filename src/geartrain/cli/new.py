"""`gear new`: a project to start from, committed to Git."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import click

from geartrain import durable, run
from geartrain.cli.output import note
from geartrain.errors import GearError, InvalidError

HOME = Path(__file__).parents[1]
CLONE = HOME.parents[1] / "examples" / "links"  # where it is written, tested and shown
WHEEL = HOME / "template"  # the same, as an installed Geartrain carries it
OLD = "links"
# Where the example says its own name: each of these once in its file.
NAMED = (
    ("docker-compose.yml", "\n  name: links\n"),
    ("README.md", "# links\n"),
    ("web/index.html", "<title>links</title>"),
    ("web/index.html", " links</h1>"),
)


@click.command()
@click.argument("name")
def new(name: str) -> None:
    """Make the folder NAME with a whole project: API, page, worker, job, nginx.

    It is the example `links` under a name of your own: short links with live
    counts, to be turned into what you need. It runs with `gear up`, is tested
    with `gear check`, and its README says what each part is for.

    \b
    Examples:
      gear new shop           the folder shop/, with a first commit
      gear new work/shop      the same, in another place
    """
    target = Path(name)
    make(target)
    count = sum(path.is_file() for path in target.rglob("*") if ".git" not in path.parts)
    note(f"{target} holds {count} files, committed to Git")
    note(f"next: cd {target} · gear up · gear check")


def make(target: Path) -> None:
    """Write the project and commit it; all of it, or nothing.

    Args:
        target: its folder, which is not there or is empty. The app has its name.

    Raises:
        InvalidError: the folder's name cannot be an app's.
        GearError: there is something already, or Git refuses.
    """
    name = target.name
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,39}", name):
        raise InvalidError(
            f"{name!r} cannot be the name of an app",
            remedy="take lower-case letters, digits and '-', a letter first, 40 at most",
        )
    if target.is_symlink() or (target.exists() and not _empty(target)):
        raise GearError(f"{target} is there already", remedy="take another name")
    half = target.with_name(f".{name}.new")
    shutil.rmtree(half, ignore_errors=True)
    try:
        _write(half, name)
        _commit(half, name)
        half.rename(target)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    durable.sync_folder(target.resolve().parent)


def files() -> dict[str, bytes]:
    """Every file of the example, by its path; not what running it has left behind."""
    folder = CLONE if (CLONE / "docker-compose.yml").exists() else WHEEL
    ignored = [line.rstrip("/") for line in (folder / ".gitignore").read_text().split()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in _walk(folder, ignored)}


def _walk(folder: Path, ignored: list[str]) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if any(fnmatch(path.name, pattern) for pattern in ignored):
            continue
        if path.is_dir():
            yield from _walk(path, ignored)
        else:
            yield path


def _empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _write(folder: Path, name: str) -> None:
    for path, content in files().items():
        text = content.decode()
        for where, said in NAMED:
            if where == path:
                text = text.replace(said, said.replace(OLD, name), 1)
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        durable.write(folder / path, text)


def _commit(folder: Path, name: str) -> None:
    """Commit as whom Git knows the user; as `gear` where it knows nobody."""
    kept = ("GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_CONFIG_")
    env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k.startswith(kept)}
    known = run.run(["git", "config", "user.email"], env=env, cwd=folder.parent, check=False)
    if known.code != 0 and "GIT_AUTHOR_EMAIL" not in env:
        env |= {
            f"GIT_{who}_{what}": value
            for who in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "gear"), ("EMAIL", "gear@localhost"))
        }
    plain = ("core.hooksPath=/dev/null", "core.autocrlf=false", "commit.gpgSign=false")
    settings = [word for setting in plain for word in ("-c", setting)]
    for words in (
        ("init", "--quiet", "--template=", "--initial-branch=main"),
        ("add", "--all"),
        ("commit", "--quiet", "--message", f"Start {name}\n\nMade by `gear new {name}`."),
    ):
        run.run(["git", *settings, *words], env=env, cwd=folder)
