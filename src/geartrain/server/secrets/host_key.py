"""A host's own key, to which the secrets of its apps are encrypted: `secrets.key`, 0600."""

from __future__ import annotations

from pathlib import Path

from geartrain import durable
from geartrain.errors import Exit, GearError

FILE = "secrets.key"


def ensure(folder: Path) -> None:
    """Make the key of a host, unless it has one.

    Args:
        folder: the host's folder of state.
    """
    if (folder / FILE).exists():
        return
    from pyrage import x25519

    key = x25519.Identity.generate()
    text = f"# public key: {key.to_public()}\n{key}\n"  # as age-keygen writes it
    durable.write(folder / FILE, text, 0o600)


def public(folder: Path) -> str:
    """The half of the key that everybody may know.

    Raises:
        GearError: the host has no key.
    """
    from pyrage import x25519

    from geartrain.server.secrets import age

    first = age.identities(path(folder))[0]
    if not isinstance(first, x25519.Identity):
        raise GearError("this is not a key of a host", where=str(folder / FILE))
    return str(first.to_public())


def path(folder: Path) -> Path:
    """Where the key is.

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
