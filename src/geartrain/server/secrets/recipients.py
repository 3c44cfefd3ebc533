"""Who can read secrets: public keys, from where they usually are."""

from __future__ import annotations

import getpass
from collections.abc import Iterable
from pathlib import Path

from geartrain.app.sealed import check_label
from geartrain.errors import GearError, InvalidError
from geartrain.server.secrets import age


def public(label: str, given: str) -> str:
    """A public key, without the comment after it.

    Args:
        label: whose it is.
        given: the key itself, or the file that it is in.

    Raises:
        InvalidError: it is no such key.
    """
    check_label(label)
    text = given.strip()
    if not text.startswith(("age1", "ssh-", "ecdsa-", "sk-")):
        path = Path(text).expanduser()
        try:
            text = path.read_text()[:20_000].strip()
        except (OSError, ValueError) as error:
            raise InvalidError(
                f"{given[:60]!r} is neither a public key nor a file with one",
                where=label,
                remedy="--add alice=alice.pub",
            ) from error
    age.recipient(text, label)
    return " ".join(text.split()[:2])


def usual(own: Iterable[Path], hosts: Iterable[Path]) -> dict[str, str]:
    """This user's first key, and those of hosts on this machine.

    Args:
        own: where private keys usually are, with the public ones beside.
        hosts: folders of hosts.
    """
    from geartrain.server.secrets import host_key

    found: dict[str, str] = {}
    for path in own:
        beside = path.with_name(f"{path.name}.pub")
        if beside.is_file():
            found[getpass.getuser()] = public(getpass.getuser(), str(beside))
            break
    for number, folder in enumerate(hosts, 1):
        try:
            found["host" if number == 1 else f"host{number}"] = host_key.public(folder)
        except GearError:
            continue  # another user's, or older: it is added by hand
    return found
