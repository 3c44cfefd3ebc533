"""Where the files of an image's working folder are on this machine.

A Dockerfile's COPY instructions say which part of the build context becomes
which path of the image. Mostly that is the context's own structure (`COPY . .`,
`COPY app/ /app/app/`, `COPY src/ /app`), and the service runs right in the
release's checkout; else a tree that looks as the image would is made of links.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from geartrain.errors import InvalidError

# read while an image is built, hardly ever by the running program
_BUILD_ONLY = re.compile(
    r"[\w.-]*requirements[\w.-]*|constraints[\w.-]*|pyproject\.toml|\w+\.lock|Pipfile|setup\.(py|cfg)"
    r"|README[\w.]*|LICENSE[\w.]*|\.python-version|pylock[\w.]*\.toml|package[\w-]*\.json"
)
_SYSTEM = frozenset(
    {"bin", "boot", "dev", "etc", "home", "lib", "lib64", "media", "mnt", "opt", "proc", "root"}
    | {"run", "sbin", "srv", "sys", "tmp", "usr", "var"}
)
_LEFT_OUT = shutil.ignore_patterns(".git", ".gear", ".venv", "__pycache__", "node_modules")


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """The working folder here, and what each path of the image is here."""

    cwd: Path
    paths: dict[str, str]
    inside: Path  # the release's checkout
    roots: tuple[Path, ...]  # where the build's files may be looked up, best first

    def find(self, path: str, workdir: str) -> Path | None:
        """The file here that `path` names in the image (`workdir` if it is relative)."""
        full = posixpath.normpath(posixpath.join(workdir or "/", path))
        for target in sorted(self.paths, key=len, reverse=True):
            if full == target or full.startswith(target.rstrip("/") + "/"):
                here = Path(self.paths[target] + full[len(target) :])
                if here.exists():
                    return here
        return None


@dataclass(frozen=True, slots=True)
class _Entry:
    real: Path
    target: str

    @property
    def build_only(self) -> bool:
        return _BUILD_ONLY.fullmatch(self.real.name) is not None and not self.real.is_dir()


def lay_out(
    context: Path,
    copies: Sequence[tuple[Path, str]],
    workdir: str,
    *,
    inside: Path,
    target: Path,
    where: str = "",
) -> Layout:
    """Find or make the working folder of a service.

    Args:
        context: the build context here.
        copies: (pattern of a file or folder here, absolute path in the image), in order.
        workdir: the image's working folder; "" when it has none.
        inside: the release's checkout; nothing outside it is read.
        target: folder of the release to make a tree in, where one is needed.
        where: the service, for messages.

    Raises:
        InvalidError: a copied path leads outside the checkout.
    """
    workdir = posixpath.normpath(workdir or "/")
    entries = _entries(copies, workdir, inside.resolve(), where)
    paths = {entry.target: str(entry.real) for entry in entries if entry.target != "/"}
    for entry in entries:
        if entry.target == "/" and entry.real.is_dir():
            names = sorted(child.name for child in entry.real.iterdir())
            paths |= {f"/{name}": str(entry.real / name) for name in names if name not in _SYSTEM}
    root = _in_place(entries, workdir, context)
    if root is None:
        _materialise(entries, target)
        paths = {entry.target: f"{target}{entry.target}" for entry in entries}
        root = Path(f"{target}{workdir}")
        root.mkdir(parents=True, exist_ok=True)
    if workdir != "/":
        paths[workdir] = str(root)
    return Layout(cwd=root, paths=paths, inside=inside, roots=tuple(dict.fromkeys((root, context))))


def _entries(
    copies: Sequence[tuple[Path, str]], workdir: str, inside: Path, where: str
) -> list[_Entry]:
    """Every copied file or folder with the exact path it gets in the image."""
    found: list[_Entry] = []
    for source, to in copies:
        folder = posixpath.normpath(to)
        reals = _expand(source)
        for real in reals:
            if not real.resolve().is_relative_to(inside):
                raise InvalidError(
                    f"COPY {source.name} leads outside the project folder",
                    where=where,
                    remedy="copy only what is in the repository",
                )
            is_folder = (
                to.endswith("/")
                or len(reals) > 1
                or folder == workdir
                or any(e.target == folder and e.real.is_dir() for e in found)
                or any(
                    t != to and posixpath.normpath(t).startswith(folder + "/") for _, t in copies
                )
            )
            into = posixpath.join(folder, real.name) if is_folder and real.is_file() else folder
            found.append(_Entry(real, into))
    return found


def _expand(source: Path) -> list[Path]:
    """What a source of COPY names; it may be a pattern (`requirements*.txt`)."""
    if source.exists() or not re.search(r"[*?\[]", str(source)):
        return [source] if source.exists() else []
    fixed = source
    while re.search(r"[*?\[]", str(fixed)):
        fixed = fixed.parent
    return sorted(fixed.glob(str(source.relative_to(fixed))))


def _in_place(entries: Sequence[_Entry], workdir: str, context: Path) -> Path | None:
    """The folder here that has the working folder's own structure; None when there is none."""
    if not entries:
        return context
    roots: list[tuple[Path, bool]] = []
    for entry in entries:
        if entry.target == workdir or _below(workdir, entry.target):
            if entry.real.is_dir():  # `COPY . /code` with `WORKDIR /code/backend`
                rest = posixpath.relpath(workdir, entry.target)
                roots.append((Path(os.path.normpath(entry.real / rest)), False))
        elif _below(entry.target, workdir):
            parts = posixpath.relpath(entry.target, workdir).split("/")
            same = entry.real.parts[-len(parts) :] == tuple(parts)
            root = entry.real.parents[len(parts) - 1] if same else Path()
            roots.append((root, entry.build_only))
    needed = {root for root, build_only in roots if not build_only}
    if not needed:
        return context
    if len(needed) > 1 or needed == {Path()}:
        return None
    root = needed.pop()
    return root if root.is_dir() else None


def _below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/") and path != folder


def _materialise(entries: Sequence[_Entry], target: Path) -> None:
    """Make a tree of hard links below `target` that looks as the image would."""
    if target.exists():
        return
    new = target.with_name(f"{target.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    for entry in entries:
        to = Path(f"{new}{entry.target}")
        to.parent.mkdir(parents=True, exist_ok=True)
        if entry.real.is_dir():
            shutil.copytree(
                entry.real,
                to,
                symlinks=True,
                ignore=_LEFT_OUT,
                copy_function=_link,
                dirs_exist_ok=True,
            )
        else:
            _link(str(entry.real), str(to))
    new.rename(target)


def _link(source: str, to: str, *, follow_symlinks: bool = True) -> str:  # noqa: ARG001 - as shutil calls it
    """Hard link, or copy where the file systems differ; a later COPY wins."""
    Path(to).unlink(missing_ok=True)
    try:
        os.link(source, to, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, to, follow_symlinks=False)
    return to
