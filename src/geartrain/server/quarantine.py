"""A pushed commit before it is accepted: weighed, checked out, and kept.

Git has put the push's objects into a folder of their own, which it deletes
when the hook fails (git-receive-pack(1), "QUARANTINE ENVIRONMENT"). What is
in there was written by strangers.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from geartrain.durable import sync_folder
from geartrain.errors import InvalidError, Problem
from geartrain.release import snapshot
from geartrain.release.git import Git

EMPTY = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # the tree without entries, of every repository
LINK, MODULE, FOLDER = "120000", "160000", "040000"
SHOWN = 10
# An index may be looked up once its pack is there, as Git itself does it.
ORDER = (".keep", ".pack", ".rev", ".idx")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The largest checkout that is taken, in files and bytes."""

    files: int
    size: int


@dataclass(frozen=True, kw_only=True)
class Tree:
    """One folder of the commit: its entries by name, as (mode, object)."""

    entries: Mapping[str, tuple[str, str]]


@dataclass(kw_only=True)
class Contents:
    """Every different folder of a commit once, and the sizes of its files in bytes."""

    root: str
    trees: dict[str, Tree]
    sizes: dict[str, int]
    _weights: dict[str, tuple[int, int]] = field(default_factory=dict)

    def weigh(self, tree: str = "") -> tuple[int, int]:
        """Files and bytes of a checkout: counted, not walked, so that no bomb goes off.

        A tree that names itself ten times over on each of ten levels has ten
        billion files and eleven objects.
        """
        name = tree or self.root
        if name not in self._weights:
            files = size = 0
            for mode, one in self.trees[name].entries.values() if name in self.trees else ():
                if mode == FOLDER:
                    below = self.weigh(one)
                    files, size = files + below[0], size + below[1]
                elif mode != MODULE:
                    files, size = files + 1, size + self.sizes.get(one, 0)
            self._weights[name] = (files, size)
        return self._weights[name]

    def walk(self, tree: str = "", at: str = "") -> Iterator[tuple[str, str]]:
        """(path, mode) of everything. Only after `weigh` found it small enough."""
        for name, (mode, one) in self.trees.get(
            tree or self.root, Tree(entries={})
        ).entries.items():
            path = posixpath.join(at, name)
            yield path, mode
            if mode == FOLDER:
                yield from self.walk(one, path)


class Quarantine:
    """The objects of a push.

    Args:
        repository: the bare repository that was pushed to.
        objects: the folder of the push's objects; None when it brought none.
    """

    def __init__(self, repository: Path, objects: Path | None) -> None:
        self._repository = repository
        self._objects = objects
        self._git = Git(repository, quarantine=objects)

    def tree_of(self, commit: str) -> str:
        """The name of a commit's tree."""
        return self._git("rev-parse", "--verify", f"{commit}^{{tree}}")

    def weigh(self, tree: str, limits: Limits) -> tuple[str, ...]:
        """Refuse a commit's tree that must not be checked out.

        Returns:
            A sentence for each thing in it that a release does not have.

        Raises:
            InvalidError: it is too large, or a name in it is not one; with all such names.
        """
        found = self._contents(tree)
        files, size = found.weigh()
        if files > limits.files:
            raise InvalidError(
                f"the commit has {files:,} files, and at most {limits.files:,} are taken",
                remedy="leave out what is made or installed: node_modules, dist, media",
            )
        if size > limits.size:
            raise InvalidError(
                f"the commit has {size / 2**20:,.0f} MB of files,"
                f" and at most {limits.size / 2**20:,.0f} MB are taken",
                remedy="keep large files out of Git, or raise the limit with"
                " `gear app create NAME --max-megabytes N`",
            )
        odd = [path for path, _ in found.walk() if not _plain(path)]
        if odd:
            raise InvalidError(
                f"{len(odd)} file names have control characters in them",
                problems=[Problem(what=repr(path)[:120]) for path in odd[:SHOWN]],
                remedy="rename them: git mv",
            )
        modules = [path for path, mode in found.walk() if mode == MODULE]
        return tuple(
            f"{path}: a submodule is not part of a release; its folder is empty" for path in modules
        )

    def _contents(self, root: str) -> Contents:
        git = self._git
        listed = git(
            "rev-list", "--objects", "--no-object-names", "--filter=object:type=tree", root
        )
        pairs = "".join(f"{EMPTY} {tree}\n" for tree in listed.split())
        # One process for all folders: each against the empty one.
        said = git("diff-tree", "--stdin", "-z", "--no-renames", "--no-abbrev", stdin=pairs)
        trees = _trees(said)
        blobs = {
            one
            for tree in trees.values()
            for mode, one in tree.entries.values()
            if mode not in (FOLDER, MODULE)
        }
        asked = "".join(f"{blob}\n" for blob in sorted(blobs))
        sizes = git("cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=asked)
        pairs_of = (line.split() for line in sizes.splitlines())
        return Contents(root=root, trees=trees, sizes={name: int(size) for name, size in pairs_of})

    def check_out(self, commit: str, folder: Path) -> None:
        """Write the commit's files into a fresh folder: no filter, no hook, no submodule.

        Raises:
            InvalidError: a symbolic link in it leads out of it; with all of them.
        """
        snapshot.check_out(self._repository, commit, folder, self._objects)
        outside = [(path, to) for path, to in _links(folder) if not to.is_relative_to(folder)]
        if outside:
            raise InvalidError(
                f"{len(outside)} symbolic links lead out of the repository",
                problems=[
                    Problem(
                        where=str(path.relative_to(folder)),
                        what=f"leads to {path.readlink()!s:.200}",
                    )
                    for path, _ in outside[:SHOWN]
                ],
                remedy="link to what is in the repository, or copy it there",
            )

    def keep(self) -> None:
        """Have the objects in the repository itself, whatever becomes of the push.

        Git does the same by renaming once the hook has ended well. A release
        must be able to name its commit before, and a crash in between must not
        leave a live release without its source.
        """
        if self._objects is None:
            return
        target = self._repository / "objects"
        files = [path for path in self._objects.rglob("*") if path.is_file()]
        touched = set()
        for path in sorted(files, key=lambda p: ORDER.index(p.suffix) if p.suffix in ORDER else 0):
            if path.name.startswith("tmp_"):
                continue
            to = target / path.relative_to(self._objects)
            to.parent.mkdir(exist_ok=True)
            try:
                os.link(path, to)
            except FileExistsError:
                continue
            touched.add(to.parent)
        for folder in touched:
            sync_folder(folder)


def _trees(said: str) -> dict[str, Tree]:
    """Read `git diff-tree --stdin -z`: a header and raw records, each with its name after it."""
    entries: dict[str, dict[str, tuple[str, str]]] = {}
    tree = ""
    words = said.split("\0")
    for record, name in zip(words[0::2], words[1::2], strict=False):
        head, _, raw = record.rpartition("\n")
        if head:
            tree = head.split()[-1]
        _, mode, _, one, _ = raw.split(" ")
        entries.setdefault(tree, {})[name] = (mode, one)
    return {name: Tree(entries=found) for name, found in entries.items()}


def _links(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Every symbolic link, and where it leads in the end."""
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(place, name)
            if path.is_symlink():
                yield path, Path(os.path.realpath(path))


def _plain(path: str) -> bool:
    return not any(ord(c) < 32 or ord(c) == 127 for c in path)
