"""Certificates as somebody's authority gives them, right and wrong."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Private = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Public = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
SIGNS = x509.KeyUsage(
    digital_signature=False, content_commitment=False, key_encipherment=False,
    data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
    encipher_only=False, decipher_only=False,
)  # fmt: skip
SERVER = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
DAY = datetime.timedelta(days=1)


@dataclass
class Pair:
    """The files of a certificate and its key."""

    cert: Path
    key: Path
    serial: int


class Authority:
    """Signs whatever it is asked to.

    Args:
        folder: where its files are, `ca.pem` among them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A test's authority")])
        self._own = (
            self._builder(self._name, self._key.public_key(), -DAY, 90 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
            )
            .add_extension(SIGNS, critical=True)  # which Python 3.13 insists on
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / "ca.pem"
        self.file.write_bytes(self._own.public_bytes(serialization.Encoding.PEM))

    def _builder(
        self, subject: x509.Name, key: Public, since: datetime.timedelta,
        until: datetime.timedelta,
    ) -> x509.CertificateBuilder:  # fmt: skip
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + since)
            .not_valid_after(now + until)
        )

    def sign(
        self, key: Public, names: Iterable[str], since: datetime.timedelta,
        until: datetime.timedelta,
    ) -> x509.Certificate:  # fmt: skip
        """A certificate for names and somebody's key."""
        return (
            self._builder(x509.Name([]), key, since, until)
            .add_extension(x509.SubjectAlternativeName([*map(x509.DNSName, names)]), critical=True)
            .add_extension(SERVER, critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )

    def give(
        self, *names: str, since: datetime.timedelta = -DAY, until: datetime.timedelta = 60 * DAY,
        before: bytes = b"", key: Private | None = None,
    ) -> Pair:  # fmt: skip
        """A certificate for names, with the authority's own after it (and `before` before)."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        made = self.sign(key.public_key(), names, since, until)
        pem = serialization.Encoding.PEM
        place = self.folder / f"{made.serial_number:x}"
        place.mkdir()
        pair = Pair(place / "cert.pem", place / "key.pem", made.serial_number)
        chain = before + made.public_bytes(pem) + self._own.public_bytes(pem)
        pair.cert.write_bytes(chain)
        pair.key.write_bytes(
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        pair.key.chmod(0o600)
        return pair
