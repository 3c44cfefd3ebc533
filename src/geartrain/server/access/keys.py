"""The SSH keys that a host knows: a name, a role, and the apps it is for."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum

import msgspec
from msgspec import Struct

from geartrain import durable
from geartrain.app.finding import nearest
from geartrain.errors import Exit, GearError, InvalidError
from geartrain.server.app import check_name
from geartrain.server.host import ServerHost

FILE = "keys.json"
NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
# OpenSSH's own names (sshd(8), AUTHORIZED_KEYS FILE FORMAT). DSA is not taken any more.
TYPES = (
    "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa",
    "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
)  # fmt: skip


class Role(StrEnum):
    """What a key may do; each role may what the ones before it may."""

    READ = "read"
    DEPLOY = "deploy"
    ADMIN = "admin"

    def may(self, needed: Role) -> bool:
        """Whether this role is enough."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


class Key(Struct, frozen=True, kw_only=True):
    """One key.

    Args:
        name: who holds it.
        role: what it may do.
        apps: the apps it is for; none means the whole host.
        public: its type and its value in base64, without comment.
    """

    name: str
    role: Role
    apps: tuple[str, ...] = ()
    public: str

    def reaches(self, app: str) -> bool:
        """Whether it is for an app."""
        return not self.apps or app in self.apps


def public_key(text: str) -> str:
    """The type and the value of a public key, checked.

    Args:
        text: what a `.pub` file says (RFC 4253, section 6.6, in base64).

    Raises:
        InvalidError: it is no public key, or more than one.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if any("PRIVATE KEY" in line for line in lines):
        raise InvalidError(
            "this is a private key, which is to stay where it was made",
            remedy="give its public half: the file of the same name that ends in .pub",
        )
    if len(lines) != 1:
        raise InvalidError(f"expected one public key, got {len(lines)} lines", remedy=_REMEDY)
    kind, _, rest = lines[0].partition(" ")
    value = rest.strip().partition(" ")[0]
    if kind not in TYPES:
        raise InvalidError(
            f"{kind[:40]!r} is not a type of SSH key that is taken", where=", ".join(TYPES),
            remedy=_REMEDY,
        )  # fmt: skip
    try:
        blob = base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise InvalidError("the key is not base64", remedy=_REMEDY) from error
    told = kind.encode()
    if blob[:4] != len(told).to_bytes(4) or blob[4 : 4 + len(told)] != told or len(blob) < 40:
        raise InvalidError(f"the key is cut off, or no {kind} key", remedy=_REMEDY)
    return f"{kind} {value}"


_REMEDY = "give a whole .pub file: gear keys add alice < ~/.ssh/id_ed25519.pub"


def make(name: str, role: Role, apps: Sequence[str], public: str) -> Key:
    """A key, checked.

    Raises:
        InvalidError: the name, the apps or the key cannot be used.
    """
    if not NAME.fullmatch(name):
        raise InvalidError(
            f"{name!r} is not a name for a key",
            remedy="use lower-case letters, digits and . _ @ -, at most 64",
        )
    for app in apps:
        check_name(app)
    if apps and role is Role.ADMIN:
        raise InvalidError(
            "an admin's key is for the whole host", remedy="leave --app out, or use --role deploy"
        )
    return Key(name=name, role=role, apps=tuple(sorted(set(apps))), public=public_key(public))


def read(host: ServerHost) -> dict[str, Key]:
    """The host's keys, by name.

    Raises:
        GearError: the file of keys cannot be read.
    """
    try:
        text = (host.folder / FILE).read_bytes()
    except FileNotFoundError:
        return {}
    try:
        return {key.name: key for key in msgspec.json.decode(text, type=list[Key])}
    except msgspec.DecodeError as error:
        raise GearError(f"{FILE} cannot be read: {error}", where=str(host.folder)) from error


@contextmanager
def changing(host: ServerHost) -> Iterator[dict[str, Key]]:
    """The keys, to be changed and then written, by one process at a time."""
    with durable.alone(host.folder / "keys.lock"):
        keys = read(host)
        yield keys
        _write(host, keys)


def _write(host: ServerHost, keys: dict[str, Key]) -> None:
    ordered = [keys[name] for name in sorted(keys)]
    durable.write(host.folder / FILE, msgspec.json.format(msgspec.json.encode(ordered)), 0o600)


def known(keys: dict[str, Key], name: str) -> Key:
    """A key by name.

    Raises:
        GearError: there is none of that name.
    """
    if name in keys:
        return keys[name]
    guess = nearest(name, tuple(keys))
    raise GearError(
        f"there is no key {name!r}" + (f"; did you mean {guess!r}?" if guess else ""),
        remedy="`gear keys list` shows what there is",
        code=Exit.MISSING,
    )
