"""A host's bare repository: Git by its plumbing, with no one's configuration but ours."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from geartrain import run as gateway
from geartrain.durable import alone, sync_folder

_ISOLATED = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "gear",
    "GIT_AUTHOR_EMAIL": "gear@localhost",
    "GIT_COMMITTER_NAME": "gear",
    "GIT_COMMITTER_EMAIL": "gear@localhost",
    "LC_ALL": "C.UTF-8",
}
# Attributes and filters of the project are not run: what is released is what is in the files.
_SETTINGS = (
    "core.fsync=all", "core.fsyncMethod=batch", "core.autocrlf=false", "gc.auto=0",
    "core.hooksPath=/dev/null",
    "core.excludesFile=/dev/null", "core.attributesFile=/dev/null", "core.quotePath=false",
    "core.fileMode=true", "advice.addEmbeddedRepo=false", "safe.bareRepository=all",
)  # fmt: skip


LOCK_HELD = 1.0  # seconds
OBJECT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class Git:
    """Runs Git on one repository.

    Args:
        folder: the bare repository.
        work_tree: files that it looks at, if any.
        index: its index file, if not the usual one.
        quarantine: objects of a push that is not accepted yet (git-receive-pack(1)).
    """

    def __init__(
        self,
        folder: Path,
        work_tree: Path | None = None,
        index: Path | None = None,
        quarantine: Path | None = None,
    ):
        self.folder = folder
        self._env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | _ISOLATED
        self._env["GIT_DIR"] = str(folder)
        if work_tree:
            self._env["GIT_WORK_TREE"] = str(work_tree)
        if index:
            self._env["GIT_INDEX_FILE"] = str(index)
        if quarantine:
            self._env["GIT_OBJECT_DIRECTORY"] = str(quarantine)
            # A path with a colon or a quote in it must be quoted (git(1)).
            self._env["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = _quoted(folder / "objects")
        self._cwd = work_tree or folder

    def __call__(self, *words: str | Path, stdin: str | None = None, check: bool = True) -> str:
        """Run one Git command and return its output without the last line end.

        Raises:
            CommandError: it failed and `check` is set.
        """
        done = gateway.run(
            _argv(words),
            env=self._env,
            cwd=self._cwd if self._cwd.is_dir() else None,
            stdin=stdin,
            check=check,
        )
        return done.out.rstrip("\n") if done.code == 0 else ""

    @contextmanager
    def reading(self, *words: str, lines: Iterable[str]) -> Iterator[IO[bytes]]:
        """Run one Git command, and read what it makes of some lines of input while it works."""
        with TemporaryFile() as file:
            file.write("".join(f"{line}\n" for line in lines).encode())
            file.seek(0)
            with gateway.reading(_argv(words), file, env=self._env) as out:
                yield out

    def at(self, ref: str) -> str:
        """The commit that a ref is at, or "".

        Most stand in a file of their own (gitrepository-layout(5)), which takes no process to read.
        """
        try:
            said = (self.folder / ref).read_text(errors="replace").strip()
        except OSError:
            said = ""  # packed, or not there
        if OBJECT.fullmatch(said):
            return said
        return self("rev-parse", "--quiet", "--verify", ref, check=False)


def _argv(words: Sequence[str | Path]) -> list[str | Path]:
    return ["git", *(word for setting in _SETTINGS for word in ("-c", setting)), *words]


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


def create(folder: Path) -> None:
    """Make the repository if it is not there: all of it, or, killed meanwhile, none."""
    if (folder / "HEAD").exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Whoever only reads the history comes here, too, and holds no lock.
    with alone(folder.with_name(f".{folder.name}.lock")):
        if (folder / "HEAD").exists():
            return
        half = folder.with_name(f".{folder.name}.new")
        shutil.rmtree(half, ignore_errors=True)
        Git(half)("init", "--quiet", "--bare", "--template=", half)
        half.rename(folder)
        sync_folder(folder.parent)


def clear_abandoned(lock: Path) -> None:
    """Remove a lock that a killed Git left; Git itself holds one for milliseconds.

    Args:
        lock: the lock of a ref or another file in a repository, `NAME.lock`.
    """
    with contextlib.suppress(FileNotFoundError):
        if time.time() - lock.stat().st_mtime > LOCK_HELD:
            lock.unlink()
