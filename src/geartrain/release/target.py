"""Which release the source as it is now would be: a known one, or the next number."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from geartrain import durable
from geartrain.app.model import App
from geartrain.app.release import Release
from geartrain.release import git, snapshot
from geartrain.release.history import Desired


def read(releases: Path, number: int | None) -> Release | None:
    """A kept release, or None when there is none of that number."""
    if number is None:
        return None
    try:
        return msgspec.json.decode(
            (releases / str(number) / "release.json").read_bytes(), type=Release
        )
    except (OSError, msgspec.DecodeError):
        return None


def kept(releases: Path) -> Iterator[Release]:
    """The kept releases, the oldest first."""
    for number in sorted(_numbers(releases)):
        if one := read(releases, number):
            yield one


def choose(
    repository: Path,
    releases: Path,
    app: App,
    tree: str,
    desired: Desired,
    summary: str,
    commit: str = "",
) -> Release:
    """The release that this app and source are.

    One that would run the same as the live one, or as the newest (which a
    crash may have left half started), is that one: its number is kept.

    Args:
        repository: the host's bare repository.
        releases: folder of the kept releases.
        app: what the Compose file says.
        tree: the source.
        desired: what the history says.
        summary: who made it.
        commit: the commit that brought the tree; default one is made for it.
    """
    fingerprint = snapshot.fingerprint(repository, tree, app)
    newest = max([desired.last, *_numbers(releases)])
    for number in (desired.live, newest):
        known = read(releases, number)
        if known and known.fingerprint == fingerprint:
            return known
    return Release(
        number=newest + 1,
        commit=commit or tree,
        fingerprint=fingerprint,
        app=app,
        summary=summary,
    )


def save(repository: Path, releases: Path, release: Release, *, pushed: bool = False) -> Release:
    """Keep a release: its commit by a ref, its configuration in its folder (0600).

    Args:
        repository: the host's bare repository.
        releases: folder of the kept releases.
        release: what `choose` returned.
        pushed: it has a commit of its own; else one is made for its tree.
    """
    if read(releases, release.number):
        return release
    name = release.commit
    if not pushed:
        name = snapshot.commit(repository, release.commit, f"release {release.number}")
    snapshot.keep(repository, release.number, name)
    kept = msgspec.structs.replace(release, commit=name)
    folder = releases / str(release.number)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    durable.write(folder / "release.json", msgspec.json.encode(kept), 0o600)
    return kept


def _numbers(releases: Path) -> list[int]:
    if not releases.exists():
        return []
    return [int(path.name) for path in releases.iterdir() if path.name.isdigit()]


def prune(
    repository: Path, releases: Path, keep: set[int | None], count: int = 5
) -> tuple[int, ...]:
    """Delete the oldest releases beyond `count`, but none of `keep`. Returns their numbers."""
    known = sorted(_numbers(releases))
    gone = tuple([n for n in known if n not in keep][: max(0, len(known) - count)])
    for number in gone:
        # The folder last: what a crash leaves is found by it.
        git.Git(repository)("update-ref", "-d", f"refs/gear/releases/{number}", check=False)
        shutil.rmtree(releases / str(number), ignore_errors=True)
    return gone
