"""age (age-encryption.org/v1) by its Rust implementation: keys, and one value in and out."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyrage
from pyrage import ssh, x25519

from geartrain.app.finding import shown_value
from geartrain.errors import InvalidError

Identity = ssh.Identity | x25519.Identity
Recipient = ssh.Recipient | x25519.Recipient
SECRET = "AGE-SECRET-KEY-1"  # noqa: S105  # what age's own keys begin with
_LARGEST_KEY = 64 * 1024


class OtherKeysError(InvalidError):
    """A value is encrypted, but to none of the keys at hand."""


def recipient(key: str, where: str = "") -> Recipient:
    """A public key.

    Args:
        key: `ssh-ed25519 …`, `ssh-rsa …` or `age1…`.
        where: what messages call it.

    Raises:
        InvalidError: it is none of these.
    """
    text = key.strip()
    try:
        return (
            x25519.Recipient.from_str(text) if text[:4] == "age1" else ssh.Recipient.from_str(text)
        )
    except pyrage.RecipientError as error:
        # Somebody may have taken the wrong one of the two files: nothing of it is shown.
        private = "PRIVATE KEY" in text or SECRET in text
        shown = "this is a private key" if private else f"{shown_value(text[:40])} is no public key"
        raise InvalidError(
            f"{shown} that age can encrypt to",
            where=where,
            remedy="give the .pub file of an Ed25519 or RSA key, or an age1… recipient",
        ) from error


def identities(path: Path) -> tuple[Identity, ...]:
    """The private keys in a file: an SSH key, or age's own, one a line.

    Args:
        path: the file.

    Raises:
        InvalidError: it cannot be read, or is no such key.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST_KEY)
    except OSError as error:
        raise InvalidError(f"the key cannot be read: {error.strerror}", where=str(path)) from error
    try:
        own = [line.strip() for line in text.decode(errors="replace").splitlines()]
        own = [line for line in own if line.startswith(SECRET)]
        if own:
            return tuple(x25519.Identity.from_str(line) for line in own)
        return (ssh.Identity.from_buffer(text),)
    except pyrage.IdentityError as error:
        locked = "must be decrypted" in str(error)
        what = "the key has a passphrase" if locked else "this is no private key that age can use"
        raise InvalidError(
            what,
            where=str(path),
            remedy="name a key without one with --identity, such as age-keygen makes,"
            " and have somebody add it: gear secrets rotate --add NAME=age1…"
            if locked
            else "an Ed25519 or RSA key of ssh-keygen, or one of age-keygen",
        ) from error


def seal(name: str, value: str, to: Sequence[Recipient]) -> str:
    """Encrypt a value under its name, so that it cannot pass for another one's."""
    return base64.b64encode(pyrage.encrypt(f"{name}={value}".encode(), list(to))).decode()


def unseal(name: str, sealed: str, by: Iterable[Identity]) -> str:
    """Decrypt a value.

    Args:
        name: the name that it stands under.
        sealed: what `seal` returned.
        by: keys, of which one may do.

    Raises:
        OtherKeysError: it is encrypted to others.
        InvalidError: it is broken, or was some other name's.
    """
    remedy = f"set it again: gear secrets set {name}"
    try:
        plain = pyrage.decrypt(base64.b64decode(sealed, validate=True), list(by)).decode()
    except pyrage.DecryptError as error:
        if "No matching keys" in str(error):
            raise OtherKeysError(f"{name} is encrypted to other keys") from error
        raise InvalidError(f"{name} is broken: {error}", remedy=remedy) from error
    except (binascii.Error, UnicodeDecodeError) as error:
        raise InvalidError(f"{name} is broken: it is not what age writes", remedy=remedy) from error
    own, equals, value = plain.partition("=")
    if own != name or not equals:
        raise InvalidError(f"{name} has the value of another name", remedy=remedy)
    return value
