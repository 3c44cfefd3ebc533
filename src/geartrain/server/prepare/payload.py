"""What of Geartrain goes to a server: a clone's own files, as an archive.

There it is a clone in all but Git's part, and sets itself up as one does: from the lock, in an
environment of its own. An installed Geartrain carries the files that it needs for that.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import geartrain
from geartrain.errors import GearError

PACKAGE = Path(geartrain.__file__).parent
CLONE = PACKAGE.parent.parent
SET_UP = (
    "gear",
    "requirements/make_environment.py",
    "requirements/make_environment.sh",
    "requirements/runtime.txt",
    "requirements/tools.txt",
)
_EPOCH = 0  # of every file: the same content is the same archive


def fresh(version: str) -> str:
    """The name of a version's folder while that is not whole."""
    return f".{version}.new"


class Payload:
    """The archive.

    Raises:
        GearError: this Geartrain lacks a file of it.
    """

    def __init__(self) -> None:
        files = dict(_files())
        digest = hashlib.sha256()
        for name, (mode, data) in sorted(files.items()):
            digest.update(f"{name}\0{mode:o}\0{len(data)}\0".encode() + data)
        self.version = f"{geartrain.__version__}-{digest.hexdigest()[:12]}"
        self._files = files

    @property
    def lock(self) -> bytes:
        """What its environment is made from."""
        return self._files["requirements/runtime.txt"][1]

    def packed(self) -> bytes:
        """It as a `.tar.gz`."""
        raw = io.BytesIO()
        with (
            gzip.GzipFile("", "wb", fileobj=raw, mtime=_EPOCH) as packed,
            tarfile.open(fileobj=packed, mode="w") as archive,
        ):
            for name, (mode, data) in sorted(self._files.items()):
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode, entry.mtime = len(data), mode, _EPOCH
                archive.addfile(entry, io.BytesIO(data))
        return raw.getvalue()


def _files() -> Iterator[tuple[str, tuple[int, bytes]]]:
    carried = CLONE if (CLONE / "gear").exists() else PACKAGE / "install"
    for name in SET_UP:
        path = carried / name
        if not path.exists():
            raise GearError(
                "this Geartrain lacks what sets it up elsewhere",
                where=str(path),
                remedy="use a clone, or the wheel that is built of one",
            )
        yield name, (0o755 if name.endswith((".sh", "gear")) else 0o644, path.read_bytes())
    for path in sorted(PACKAGE.rglob("*")):
        parts = path.relative_to(PACKAGE).parts
        # A server makes no new projects, and prepares no servers.
        if "__pycache__" in parts or parts[0] in ("install", "template") or not path.is_file():
            continue
        runs = bool(path.stat().st_mode & 0o100)
        yield f"src/geartrain/{'/'.join(parts)}", (0o755 if runs else 0o644, path.read_bytes())
