"""Writes an export into a folder."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from geartrain import durable
from geartrain.errors import GearError
from geartrain.server.prepare.export import ansible, cloud_init
from geartrain.server.prepare.export.goods import Goods
from geartrain.server.prepare.payload import Payload

USER_DATA = "user-data"
_ARCHIVES = "geartrain-*.tar.gz"


def playbook(folder: Path) -> list[Path]:
    """Write the Ansible playbook with its role; what was exported there before is replaced.

    Args:
        folder: where; it is made.

    Returns:
        The files.

    Raises:
        GearError: something else is there.
    """
    _own(folder, ansible.PLAYBOOK)
    packed, goods = _goods()
    written = []
    for name, file in ansible.role(goods).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        durable.write(path, file.text, file.mode)
        written.append(path)
    return [*written, _archive(folder / ansible.FILES, goods, packed)]


def user_data(folder: Path, url: str | None) -> list[Path]:
    """Write user data for cloud-init, and the archive that is to be at an address.

    Args:
        folder: where; it is made.
        url: the archive's address, or that of its folder, with a `/` at its end; without one the
            archive is part of the user data.

    Returns:
        The files, the user data first.

    Raises:
        GearError: something else is there.
    """
    _own(folder, USER_DATA)
    packed, goods = _goods()
    path = folder / USER_DATA
    if url is None:
        embedded = base64.b64encode(packed).decode()
        durable.write(path, cloud_init.user_data(goods, archive=embedded))
        return [path]
    whole = url + goods.archive if url.endswith("/") else url
    durable.write(path, cloud_init.user_data(goods, url=whole))
    return [path, _archive(folder, goods, packed)]


def _own(folder: Path, mark: str) -> None:
    """See that nothing of somebody else's is written over."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()) and not (folder / mark).exists():
        raise GearError(
            "the folder has something else in it",
            where=str(folder),
            remedy="name a new folder, or one that was exported into before",
        )


def _goods() -> tuple[bytes, Goods]:
    payload = Payload()
    packed = payload.packed()
    digests = [hashlib.sha256(data).hexdigest() for data in (payload.lock, packed)]
    return packed, Goods(version=payload.version, lock=digests[0], digest=digests[1])


def _archive(folder: Path, goods: Goods, packed: bytes) -> Path:
    path = folder / goods.archive
    durable.write(path, packed)
    for before in folder.glob(_ARCHIVES):
        if before != path:
            before.unlink()
    return path
