"""A host's own keys, to which the secrets of its apps are encrypted: `secrets.key`, 0600.

The newest is the first. Those after it open what was encrypted before it was made, until no kept
release needs them any more.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from geartrain import durable
from geartrain.errors import Exit, GearError

if TYPE_CHECKING:
    from pyrage import x25519

FILE = "secrets.key"
SALT = "secrets.salt"
LOCK = "secrets.lock"


def ensure(folder: Path) -> None:
    """Make the key of a host, unless it has one.

    Args:
        folder: the host's folder of state.
    """
    from pyrage import x25519

    with _alone(folder):
        if not (folder / FILE).exists():
            _write(folder, [x25519.Identity.generate()])


def rotate(folder: Path) -> str:
    """Make a new key, and keep those from before for what is encrypted to them.

    Args:
        folder: the host's folder of state.

    Returns:
        The new one's public half.

    Raises:
        GearError: the host has no key.
    """
    from pyrage import x25519

    with _alone(folder):
        made = x25519.Identity.generate()
        _write(folder, [made, *_own(folder)])
    return str(made.to_public())


def drop(folder: Path, gone: Collection[str]) -> None:
    """Delete keys from before.

    Args:
        folder: the host's folder of state.
        gone: their public halves. The newest stays in any case.

    Raises:
        GearError: the host has no key.
    """
    with _alone(folder):
        first, *rest = _own(folder)
        kept = [one for one in rest if str(one.to_public()) not in gone]
        if len(kept) < len(rest):
            _write(folder, [first, *kept])


def public(folder: Path) -> str:
    """The half of the newest key that everybody may know.

    Raises:
        GearError: the host has no key.
    """
    return publics(folder)[0]


def publics(folder: Path) -> tuple[str, ...]:
    """The public halves of all keys, the newest first.

    Raises:
        GearError: the host has no key.
    """
    return tuple(str(one.to_public()) for one in _own(folder))


def path(folder: Path) -> Path:
    """Where the keys are.

    Raises:
        GearError: the host has none.
    """
    if not (folder / FILE).exists():
        raise GearError(
            "this host has no key for secrets",
            where=str(folder / FILE),
            remedy="`gear host init` makes one; put back the one it had, if it is lost,"
            " or encrypt to the new one: gear secrets rotate --add host=age1…",
            code=Exit.MISSING,
        )
    return folder / FILE


def salt(folder: Path) -> bytes:
    """What marks of secrets are made with; made at the first use, and never anew.

    Args:
        folder: the host's folder of state.
    """
    file = folder / SALT
    if not file.exists():
        with _alone(folder):
            if not file.exists():
                durable.write(file, f"{os.urandom(32).hex()}\n", 0o600)
    return bytes.fromhex(file.read_text().strip())


def _own(folder: Path) -> list[x25519.Identity]:
    from pyrage import x25519

    from geartrain.server.secrets import age

    found = age.identities(path(folder))
    own = [one for one in found if isinstance(one, x25519.Identity)]
    if len(own) < len(found):
        raise GearError("this is not a key of a host", where=str(folder / FILE))
    return own


def _write(folder: Path, keys: Collection[x25519.Identity]) -> None:
    # As age-keygen writes it.
    text = "".join(f"# public key: {key.to_public()}\n{key}\n" for key in keys)
    durable.write(folder / FILE, text, 0o600)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Be the only one who changes keys."""
    fd = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
