"""A clone, and whoever works in it: with a key, and secrets."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat, PublicFormat

from tests.server.pushing import Clone


class Team:
    """A clone, and the key of whoever works in it."""

    def __init__(self, clone: Clone, home: Path) -> None:
        self.clone = clone
        self.home = home
        (home / ".ssh").mkdir(parents=True)
        keygen(home / ".ssh" / "id_ed25519")

    def secrets(self, *words: str | Path, stdin: str | None = None, code: int = 0) -> str:
        """`gear secrets`, and what it said."""
        done = self.clone.gear(
            "secrets", *words, stdin=stdin, code=code, env={"HOME": str(self.home)}
        )
        return done.out + done.err

    @property
    def file(self) -> Path:
        return self.clone.folder / "gear.secrets.toml"


def keygen(path: Path) -> str:
    """A key pair as ssh-keygen makes it, on machines without one; the public half."""
    key = Ed25519PrivateKey.generate()
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, serialization.NoEncryption())
    )
    path.chmod(0o600)
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    public += " somebody@laptop\n"
    path.with_name(f"{path.name}.pub").write_text(public)
    return public
