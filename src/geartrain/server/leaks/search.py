"""Searches the new files of a push, each version of each once, the newest first."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from geartrain.errors import InvalidError
from geartrain.release.git import Git
from geartrain.server.leaks import allowed, names
from geartrain.server.leaks.allowed import Allowed
from geartrain.server.leaks.formats import find
from geartrain.server.leaks.found import Found, Leak

LARGEST = 4 * 2**20  # bytes of a file; what is larger was not written by hand
BINARY = 8000  # bytes in which Git looks for a NUL to tell that a file is no text
MOST = 50  # findings; whoever has more has one cause for them


def search(git: Git, commit: str, seconds: float) -> Found:
    """Search all that a commit brings and the repository's refs do not have yet.

    Args:
        git: the repository, with the push's objects.
        commit: what is pushed.
        seconds: after which it stops; the files of the commit itself come first.

    Raises:
        InvalidError: the list of false alarms is wrong.
    """
    until = time.monotonic() + seconds
    false_alarms = _allowed(git, commit)
    new = ("rev-list", "--objects", "--filter=object:type=blob", "--filter-provided-objects")
    listed = git(*new, commit, "--not", "--all")
    paths = dict(line.partition(" ")[::2] for line in listed.splitlines())
    blobs = _small(git, list(paths))
    leaks: list[Leak] = []
    searched = 0
    for blob, raw in _contents(git, blobs):
        if time.monotonic() > until or len(leaks) >= MOST:
            break
        searched += 1
        leaks += _of_file(blob, paths[blob], raw, false_alarms)
    return Found(
        leaks=tuple(_placed(git, commit, leak) for leak in leaks),
        files=len(blobs),
        searched=len(blobs) if len(leaks) >= MOST else searched,
    )


def _of_file(blob: str, path: str, raw: bytes, known: Sequence[Allowed]) -> Iterator[Leak]:
    text = None if b"\0" in raw[:BINARY] else raw.decode(errors="replace")
    found = []
    if whole := names.kind(path, text):
        found.append(Leak(kind=whole, shown="", mark=blob[:12], path=path, line=0, blob=blob))
    for one in find(path, text or ""):
        shown, mark = _shown(one.secret), _mark(one.secret)
        found.append(
            Leak(kind=one.kind, shown=shown, mark=mark, path=path, line=one.line, blob=blob)
        )
    for leak in found:
        if not any(one.covers(path, leak.mark) for one in known):
            yield leak


def _placed(git: Git, commit: str, leak: Leak) -> Leak:
    new = (commit, "--not", "--all")
    first = git("log", "--format=%h", "--reverse", f"--find-object={leak.blob}", *new)
    at = git("rev-parse", "--quiet", "--verify", f"{commit}:{leak.path}", check=False)
    return replace(leak, commit=first.partition("\n")[0], last=at == leak.blob)


def _allowed(git: Git, commit: str) -> Sequence[Allowed]:
    blob = git("rev-parse", "--quiet", "--verify", f"{commit}:{allowed.FILE}", check=False)
    if not blob:
        return ()
    if git("cat-file", "-t", blob) != "blob" or int(git("cat-file", "-s", blob)) > LARGEST:
        raise InvalidError("it is no file of a usual size", where=allowed.FILE)
    return allowed.parse(git("cat-file", "blob", blob))


def _small(git: Git, blobs: Sequence[str]) -> Sequence[str]:
    asked = "".join(f"{blob}\n" for blob in blobs)
    said = git("cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=asked)
    sizes = (line.split() for line in said.splitlines())
    return [name for name, size in sizes if int(size) <= LARGEST]


def _contents(git: Git, blobs: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """(object, bytes) of each, as `git cat-file --batch` says it: a line, the bytes, a line end."""
    with git.reading("cat-file", "--batch", "--buffer", lines=blobs) as out:
        for blob in blobs:
            raw = out.read(int(out.readline().split()[-1]))
            out.read(1)
            yield blob, raw


def _shown(secret: str) -> str:
    """The beginning of a token, which says whose it is; never so much that it helps to guess."""
    return "" if "\n" in secret else f"{secret[:8]}…"


def _mark(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()[:12]
