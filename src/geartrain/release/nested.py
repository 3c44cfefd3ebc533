"""Git repositories inside the project: submodules, and clones that somebody put there.

Git would record such a folder as a link to one of its commits. A release runs
what is in the files, so they are recorded like any others.
"""

from __future__ import annotations

import os
from pathlib import Path

from geartrain.release.git import Git

UNTRACKED = ("ls-files", "--others", "--exclude-standard", "-z")


def take_over(git: Git, repository: Path, project: Path) -> tuple[str, ...]:
    """Put files of repositories that are not known yet into the index.

    Once a file of theirs is there, Git treats their folder like any other.

    Args:
        git: works on the project with its index.
        repository: the host's bare repository.
        project: the project folder.

    Returns:
        Folders without any file to record, which Git would refuse.
    """
    empty = []
    files: list[str] = []
    for folder in _folders(git(*UNTRACKED)):
        found = _files(repository, project, folder)
        files += found
        if not found:
            empty.append(folder)
    if files:
        git("update-index", "--add", "-z", "--stdin", stdin="".join(f"{one}\0" for one in files))
    return tuple(empty)


def _folders(listed: str) -> list[str]:
    """Git lists a repository as a folder, and everything else as files."""
    return [path for path in listed.split("\0") if path.endswith("/")]


def _files(repository: Path, project: Path, folder: str) -> list[str]:
    index = repository / "nested.index"
    index.unlink(missing_ok=True)
    listed = Git(repository, project / folder, index)(*UNTRACKED)
    found = [f"{folder}{path}" for path in listed.split("\0") if path and not path.endswith("/")]
    for deeper in _folders(listed):
        if os.path.normpath(deeper) != ".":
            found += _files(repository, project, f"{folder}{deeper}")
    return found
