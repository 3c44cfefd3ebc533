"""The remotes of a repository, which may be apps of hosts here and elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from geartrain import run

# scp's form, `gear@host:shop`, and the URL, `ssh://gear@host:22/shop` (git-fetch(1), GIT URLS).
_ELSEWHERE = re.compile(r"(ssh://[^/]+)/([^/]+)|([^/:]+):([^/]+)")


def urls(folder: Path) -> list[str]:
    """The addresses of all remotes of a folder's repository; none where there is no repository."""
    said = run.run(
        ["git", "-C", folder, "config", "--null", "--get-regexp", r"^remote\..*\.url$"], check=False
    )
    return [entry.partition("\n")[2] for entry in filter(None, said.out.split("\0"))]


def elsewhere(folder: Path) -> Iterator[tuple[str, str]]:
    """What may be apps of hosts that are reached over SSH: for `gear -H`, and the app's name."""
    for url in urls(folder):
        if seen := _ELSEWHERE.fullmatch(url):
            app = seen[2] or seen[4]
            yield seen[1] or seen[3], app.removesuffix(".git")
