"""The working tree as a commit in the host's repository, and a release's own checkout of it.

An old instance never sees a new file: it runs from the checkout of its release.
"""

from __future__ import annotations

import os
import posixpath
import shutil
from collections.abc import Iterable
from pathlib import Path

import msgspec

from geartrain.app.model import App, MountKind
from geartrain.durable import sync_folder, sync_tree
from geartrain.release.git import Git, clear_abandoned
from geartrain.release.nested import take_over

EXCLUDED = """\
/.gear/
.git
.env
.venv/
venv/
node_modules/
__pycache__/
*.py[co]
.pytest_cache/
.mypy_cache/
.ruff_cache/
"""
# A release has the bytes of the project's files, whatever its .gitattributes say.
ATTRIBUTES = "* -text -ident -filter -working-tree-encoding\n"
LIST = ("--literal-pathspecs", "ls-tree", "-z")


def take(repository: Path, project: Path, named: Iterable[str] = ()) -> str:
    """Record the project's files and return the tree's name.

    What `.gitignore` and the usual litter name is left out, but for what the
    Compose file itself names. The caller holds the host's lock.

    Args:
        repository: the host's bare repository.
        project: folder of the Compose file.
        named: paths below it that are taken even when ignored.
    """
    _settle(repository)
    git = Git(repository, project, repository / "snapshot.index")
    empty = take_over(git, repository, project)
    git("add", "--all", "--", ".", *(f":(exclude,literal){path}" for path in empty))
    if ignored := git("ls-files", "--cached", "--ignored", "--exclude-standard", "-z"):
        git("update-index", "--force-remove", "-z", "--stdin", stdin=ignored)
    if forced := _forced(project, named):
        git("add", "--force", "--", *(f":(literal){path}" for path in forced))
    return git("write-tree")


def _settle(repository: Path) -> None:
    """Clear what a killed Git left."""
    bare_rules(repository)
    (repository / "snapshot.index.lock").unlink(missing_ok=True)


def bare_rules(repository: Path) -> None:
    """Write what Git reads beside the project's own rules, and before them."""
    info = repository / "info"
    info.mkdir(exist_ok=True)
    for name, text in (("exclude", EXCLUDED), ("attributes", ATTRIBUTES)):
        file = info / name
        if not file.exists() or file.read_text() != text:
            file.write_text(text)


def _forced(project: Path, named: Iterable[str]) -> list[str]:
    """The named paths that are there, by names that lead through no symbolic link."""
    found = set()
    for name in named:
        path = project / posixpath.normpath(name)
        if path.parent.resolve() == path.parent and path.exists():
            found.add(path)
        found.add(path.resolve())
    found = {path for path in found if path.exists() and path.is_relative_to(project)}
    return sorted(str(path.relative_to(project)) for path in found - {project})


def commit(repository: Path, tree: str, message: str) -> str:
    """A commit of a tree, kept from Git's clean-up by nothing but the refs made for it."""
    return Git(repository)("commit-tree", tree, "-m", message)


def keep(repository: Path, number: int, commit_name: str) -> None:
    """Name a release's commit `refs/gear/releases/N`."""
    ref = f"refs/gear/releases/{number}"
    clear_abandoned(repository / f"{ref}.lock")
    Git(repository)("update-ref", ref, commit_name)


def check_out(
    repository: Path, commit_name: str, folder: Path, quarantine: Path | None = None
) -> None:
    """Write a commit's files below a folder, all of them or none.

    Args:
        repository: the host's bare repository.
        commit_name: what to check out.
        folder: where; nothing is done when it is there.
        quarantine: where its objects are while a push is not accepted yet.
    """
    if folder.exists():
        return
    bare_rules(repository)
    # A name of its own: the Git of a killed command may still write below the last one.
    half = folder.with_name(f".{folder.name}.{os.getpid()}.new")
    for stale in folder.parent.glob(f".{folder.name}.*.new*"):
        shutil.rmtree(stale, ignore_errors=True) if stale.is_dir() else stale.unlink()
    half.mkdir(parents=True)
    index = Path(f"{half}.index")
    git = Git(repository, half, index, quarantine)
    git("read-tree", commit_name)
    git("checkout-index", "--all", "--force")
    index.unlink(missing_ok=True)
    sync_tree(half)  # whoever finds the folder takes it for whole, also after a power cut
    half.rename(folder)
    sync_folder(folder.parent)


def used_paths(app: App) -> tuple[str, ...]:
    """The parts of the project that a release runs from, relative to it."""
    used: set[str] = {app.compose_file}
    for service in app.services.values():
        if service.build:
            used.add(service.build.context)
        used.update(m.source for m in service.mounts if m.kind is MountKind.BIND)
        used.update(service.gear.static.values())
    used.update(s.file for s in (*app.secrets.values(), *app.configs.values()) if s.file)
    return tuple(sorted({posixpath.normpath(path) for path in used if not path.startswith("/")}))


def fingerprint(repository: Path, tree: str, app: App) -> str:
    """A name that changes when, and only when, a release would run something else."""
    import hashlib  # OpenSSL comes with it: not for who only reads

    used = used_paths(app)
    if "." in used:
        content = tree
    else:
        # The Compose file itself counts by what it means, not by its text. What
        # is not in the tree (ignored data, say) is not listed, so it does not count.
        files = [path for path in used if path != app.compose_file]
        # Of a folder and what is below it, Git would list the lower one alone.
        top = [path for path in files if not any(path.startswith(f"{one}/") for one in files)]
        content = Git(repository)(*LIST, tree, "--", *top) if top else ""
    model = msgspec.json.encode(app, order="deterministic")
    return hashlib.sha256(model + content.encode()).hexdigest()[:20]
