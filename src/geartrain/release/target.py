"""Which release the source as it is now would be: a known one, or the next number."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Iterator
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


def superfluous(
    known: Iterable[int], keep: Collection[int | None], proven: Collection[int | None], count: int
) -> tuple[int, ...]:
    """Which releases to delete, so that `count` are left.

    Those that never were live go first, so that no row of bad pushes takes away what can be
    gone back to; then the oldest.

    Args:
        known: the kept releases.
        keep: those that must stay, beyond the count if need be.
        proven: those that were live.
        count: how many are to be left.
    """
    ordered = sorted(known, key=lambda number: (number in proven, number))
    return tuple([n for n in ordered if n not in keep][: max(0, len(ordered) - count)])


def prune(
    repository: Path,
    releases: Path,
    keep: Collection[int | None],
    proven: Collection[int | None],
    count: int,
) -> tuple[int, ...]:
    """Delete what is superfluous. Returns the numbers (see `superfluous`)."""
    gone = superfluous(_numbers(releases), keep, proven, count)
    for number in gone:
        # Nobody is to go back to one that is there in part.
        (releases / str(number) / "release.json").unlink(missing_ok=True)
        # The folder last: what a crash leaves is found by it.
        git.Git(repository)("update-ref", "-d", f"refs/gear/releases/{number}", check=False)
        shutil.rmtree(releases / str(number), ignore_errors=True)
    return gone
