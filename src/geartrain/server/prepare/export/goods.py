"""The Geartrain that an export brings along."""

from __future__ import annotations

from pathlib import PurePosixPath

from msgspec import Struct

from geartrain.server.prepare import layout


class Goods(Struct, frozen=True, kw_only=True):
    """What of the archive an export says.

    Args:
        version: its name.
        lock: SHA-256 of the lock in it, which an environment that is complete has a copy of.
        digest: SHA-256 of the archive.
    """

    version: str
    lock: str
    digest: str

    @property
    def archive(self) -> str:
        """The archive's file name."""
        return f"geartrain-{self.version}.tar.gz"

    @property
    def folder(self) -> PurePosixPath:
        """Where it is on a server."""
        return layout.VERSIONS / self.version
