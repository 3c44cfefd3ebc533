"""A certificate authority of one's own, for names that no public one can vouch for.

It belongs to a user and signs for all projects of that user, so that it has to
be trusted once. Its key never leaves this machine.
"""

from __future__ import annotations

import datetime
import getpass
import ipaddress
import os
import socket
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from geartrain import durable

LIFETIME = datetime.timedelta(days=3650)
CERTIFICATE_LIFETIME = datetime.timedelta(days=397)  # browsers refuse longer ones
RENEW_BEFORE = datetime.timedelta(days=60)
SLACK = datetime.timedelta(hours=1)  # clocks differ


def home() -> Path:
    """The folder of this user's authority (XDG Base Directory Specification)."""
    data = os.environ.get("XDG_DATA_HOME", "")
    return (Path(data) if data.startswith("/") else Path.home() / ".local/share") / "geartrain/ca"


def ensure(folder: Path, names: Sequence[str], authority: Path) -> None:
    """Have a certificate for these names in a folder, as `certificate.pem` and `key.pem`.

    One that is there is kept while it has the names, the authority is the same
    and it is good for two more months.

    Args:
        folder: where; made if it is not there.
        names: host names and IP addresses.
        authority: folder of `ca.pem` and `ca-key.pem`, which are made on first use.
    """
    issuer, issuer_key = _authority(authority)
    if _good(folder, names, issuer):
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(names[0], key, CERTIFICATE_LIFETIME)
        .issuer_name(issuer.subject)
        .add_extension(x509.SubjectAlternativeName([_name(n) for n in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
        .sign(issuer_key, hashes.SHA256())
    )
    # The key first: a certificate that is there has its key.
    durable.write(folder / "key.pem", _private(key), 0o600)
    durable.write(folder / "certificate.pem", _public(certificate) + _public(issuer))


def describe(folder: Path) -> tuple[str, float]:
    """The fingerprint of the certificate in a folder, and the Unix time to make it anew at."""
    certificate = x509.load_pem_x509_certificate((folder / "certificate.pem").read_bytes())
    until = certificate.not_valid_after_utc - RENEW_BEFORE
    return certificate.fingerprint(hashes.SHA256()).hex()[:16], until.timestamp()


def _authority(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    if found := _known(folder):
        return found
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with durable.alone(folder / "lock"):  # two projects may want it first
        return _known(folder) or _make(folder)


def _known(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
    try:
        certificate = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
        key = serialization.load_pem_private_key((folder / "ca-key.pem").read_bytes(), None)
        if (
            isinstance(key, ec.EllipticCurvePrivateKey)
            and certificate.public_key() == key.public_key()
            and certificate.not_valid_after_utc > _now() + CERTIFICATE_LIFETIME
        ):
            return certificate, key
    except (OSError, ValueError):
        pass
    return None


def _make(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    fresh = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(f"Geartrain CA of {_whose()}", fresh, LIFETIME)
    certificate = (
        builder.issuer_name(_subject(f"Geartrain CA of {_whose()}"))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .sign(fresh, hashes.SHA256())
    )
    durable.write(folder / "ca-key.pem", _private(fresh), 0o600)
    durable.write(folder / "ca.pem", _public(certificate))
    return certificate, fresh


def _good(folder: Path, names: Sequence[str], issuer: x509.Certificate) -> bool:
    try:
        found = x509.load_pem_x509_certificate((folder / "certificate.pem").read_bytes())
        found.verify_directly_issued_by(issuer)
        covered = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        key = serialization.load_pem_private_key((folder / "key.pem").read_bytes(), None)
    except Exception:  # whatever is wrong with it, a new one mends it
        return False
    return (
        list(covered) == [_name(name) for name in names]
        and key.public_key() == found.public_key()
        and found.not_valid_after_utc - RENEW_BEFORE > _now()
    )


def _builder(
    name: str, key: ec.EllipticCurvePrivateKey, lifetime: datetime.timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_subject(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - SLACK)
        .not_valid_after(_now() + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs, key_cert_sign=signs, crl_sign=signs,
        content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _public(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _whose() -> str:
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):
        return socket.gethostname()
