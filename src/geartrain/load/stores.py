"""Marks the data stores that outlive releases, with what they are given from the repository.

Their containers stay while releases come and go, so a change of such a file is a
change of theirs: its contents are part of their definition.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from msgspec.structs import replace

from geartrain.app.model import App, MountKind, Service
from geartrain.app.stores import lasting

MOST = 2**20  # bytes of a file that are read for addresses in it


def with_stores(app: App, root: Path) -> App:
    """The same app, in which data stores outlive releases.

    Args:
        app: the app.
        root: the checkout that it was read in.
    """
    files = {s.name: _files(app, s, root) for s in app.services.values()}
    texts = {name: "\n".join(_text(file) for file in found) for name, found in files.items()}
    marked = {
        name: replace(app.services[name], store=_digest(app, app.services[name], files[name]))
        for name in lasting(app, texts)
    }
    return replace(app, services={**app.services, **marked}) if marked else app


def _files(app: App, service: Service, root: Path) -> list[Path]:
    places = [m.source for m in service.mounts if m.kind is MountKind.BIND]
    places += [app.configs[g.source].file or "" for g in service.configs if g.source in app.configs]
    found: list[Path] = []
    for place in filter(None, places):
        whole = root / place
        if place.startswith("/"):
            continue  # the machine's
        found += sorted(p for p in whole.rglob("*") if p.is_file()) if whole.is_dir() else [whole]
    return [file for file in found if file.is_file() and not file.is_symlink()]


def _text(file: Path) -> str:
    with file.open("rb") as opened:
        return opened.read(MOST).decode(errors="replace")


def _digest(app: App, service: Service, files: list[Path]) -> str:
    whole = hashlib.sha256()
    for grant in service.configs:
        whole.update(repr(app.configs.get(grant.source)).encode())
    for file in files:
        with file.open("rb") as opened:
            whole.update(hashlib.file_digest(opened, "sha256").digest())
    return whole.hexdigest()[:16]
