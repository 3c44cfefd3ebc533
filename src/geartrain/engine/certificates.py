"""The certificates of a host that takes pushes: what there is for which domain, and where.

STATE/edge/tls/
  settings.json             the port of https, and whom certificates are asked of
  certificates.json         domain → the certificate that is served
  certificates/FINGERPRINT/ certificate.pem (with its chain) and key.pem (0600)
  public/                   answers to HTTP-01 challenges, served on http

A certificate's folder never changes: a new certificate is another folder, so
that it is another configuration of nginx, confirmed as every other one is.
"""

from __future__ import annotations

import datetime
import fcntl
import os
import shutil
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from geartrain import durable
from geartrain.app.policy import AppPolicy
from geartrain.app.published import TLS_PORT
from geartrain.app.routes import Site
from geartrain.app.units import seconds
from geartrain.errors import Exit, GearError, InvalidError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
DAY = 86400.0
WARN_BEFORE = 14 * DAY
LEAST_BITS = 2048  # of RSA
CURVES = ("secp256r1", "secp384r1")  # which every browser knows
KEPT = 3  # earlier certificates of a domain, which older generations of nginx name


class Source(StrEnum):
    """Where a certificate comes from."""

    OWN = "own"
    ACME = "acme"


class Certificate(Struct, frozen=True, kw_only=True):
    """A certificate that is served. Times are Unix times, in seconds."""

    domain: str
    fingerprint: str
    names: tuple[str, ...]
    since: float
    until: float
    issuer: str
    source: Source
    before: tuple[str, ...] = ()  # fingerprints of those before it, the newest first

    def ends_soon(self, now: float) -> bool:
        """True from 14 days before its end, and before its beginning, which a clock made wrong."""
        return now > self.until - WARN_BEFORE or now < self.since

    def warning(self, now: float) -> str:
        """What to say about its end, which is near or over, or its beginning."""
        if now < self.since:
            return (
                f"the certificate of {self.domain} begins on {day(self.since)}, and this machine's"
                f" clock says {day(now)}: set the clock right"
            )
        days = (self.until - now) / DAY
        if days < 0:
            return f"the certificate of {self.domain} ended on {day(self.until)}"
        return f"the certificate of {self.domain} ends in {days:.0f} days, on {day(self.until)}"


class Settings(Struct, frozen=True, kw_only=True):
    """What the host's owner decided about TLS.

    `acme` is their word that certificates may be asked for, and that they agree
    to the terms of whoever answers at `directory`. `authority` is a file of
    certificates that is trusted there instead of the machine's own.
    """

    port: int = TLS_PORT
    acme: bool = False
    email: str = ""
    directory: str = LETS_ENCRYPT
    authority: str = ""


class Store:
    """The certificates of a host.

    Args:
        folder: where they are, such as `STATE/edge/tls`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.public = folder / "public"
        self.challenges = self.public / ".well-known" / "acme-challenge"

    # -- reading ------------------------------------------------------------

    def settings(self) -> Settings:
        """What was decided about TLS."""
        try:
            return msgspec.json.decode(self._read("settings.json"), type=Settings)
        except FileNotFoundError:
            return Settings()

    def every(self) -> dict[str, Certificate]:
        """Domain → its certificate."""
        try:
            text = self._read("certificates.json")
        except FileNotFoundError:
            return {}
        return msgspec.json.decode(text, type=dict[str, Certificate])

    def find(self, domains: Iterable[str]) -> dict[str, Certificate]:
        """Those domains for which there is a certificate, and it; one for `*.` covers others."""
        known = self.every()
        found = {}
        for domain in domains:
            wide = f"*.{domain.partition('.')[2]}"
            if one := known.get(domain) or known.get(wide):
                found[domain] = one
        return found

    def files(self, fingerprint: str) -> tuple[Path, Path]:
        """A certificate with its chain, and its key."""
        place = self.folder / "certificates" / fingerprint
        return place / "certificate.pem", place / "key.pem"

    def _read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    # -- writing ------------------------------------------------------------

    def decide(self, settings: Settings) -> None:
        """Keep what was decided."""
        with self._turn():
            self._write("settings.json", settings)

    def put(self, domain: str, chain: bytes, key: bytes, source: Source) -> Certificate:
        """Keep a certificate as the one that is served for a domain.

        Args:
            domain: host name, or `*.` and one.
            chain: PEM, the certificate itself first.
            key: PEM, without a passphrase.
            source: where it comes from.

        Raises:
            InvalidError: it is not good for the domain now, or the key is another's.
        """
        made = read(domain, chain, key, source)
        with self._turn():
            known = self.every()
            was = known.get(domain)
            if was is not None and was.fingerprint != made.fingerprint:
                made = replace(made, before=(was.fingerprint, *was.before)[:KEPT])
            elif was is not None:
                made = replace(made, before=was.before)
            place = self.folder / "certificates" / made.fingerprint
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            durable.write(place / "key.pem", key, 0o600)
            durable.write(place / "certificate.pem", chain)
            durable.sync_folder(place.parent)
            self._write("certificates.json", {**known, domain: made})
        return made

    def put_back(self, given: Certificate, before: Certificate | None) -> None:
        """Serve a domain as before it was given a certificate, unless it has another by now."""
        with self._turn():
            known = self.every()
            if known.get(given.domain) != given:
                return
            del known[given.domain]
            rest = {given.domain: before} if before is not None else {}
            self._write("certificates.json", {**known, **rest})

    def forget(self, domain: str) -> bool:
        """Serve a domain without its certificate; says whether there was one."""
        with self._turn():
            known = self.every()
            if domain not in known:
                return False
            del known[domain]
            self._write("certificates.json", known)
        return True

    def sweep(self, named: Collection[str] = ()) -> None:
        """Delete what no domain has, nor had lately.

        Args:
            named: fingerprints that nginx's configuration names, and that are to stay.
        """
        with self._turn():
            kept = {f for one in self.every().values() for f in (one.fingerprint, *one.before)}
            kept |= {*named}
            folder = self.folder / "certificates"
            for place in folder.iterdir() if folder.is_dir() else ():
                if place.name not in kept:
                    shutil.rmtree(place, ignore_errors=True)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        fd = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def _write(self, name: str, what: object) -> None:
        durable.write(self.folder / name, msgspec.json.format(msgspec.json.encode(what)))


def read(domain: str, chain: bytes, key: bytes, source: Source) -> Certificate:
    """What a certificate says, once it is seen to be good for a domain.

    Raises:
        InvalidError: it cannot be read, has other names or another key, or is out of date.
    """
    x509 = _library()
    oid = x509.oid.NameOID.COMMON_NAME
    first, private = _pair(chain, key)
    if private.public_key() != first.public_key():
        raise InvalidError("the key belongs to another certificate", remedy="give both of one pair")
    if weak := _weak(private):
        raise InvalidError(f"the key is {weak}", remedy="RSA of 2048 bits or more, or P-256")
    try:
        covered = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = tuple(name.lower() for name in covered.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        names = ()
    if domain not in names and f"*.{domain.partition('.')[2]}" not in names:
        has = ", ".join(names) or "no host name"
        raise InvalidError(f"the certificate is not for {domain}: it has {has}")
    since, until = first.not_valid_before_utc.timestamp(), first.not_valid_after_utc.timestamp()
    now = time.time()
    if now > until:
        raise InvalidError(f"the certificate ended on {day(until)}", remedy="renew it")
    if now < since:
        raise InvalidError(
            f"the certificate begins on {day(since)}", remedy="is this machine's clock right?"
        )
    said = first.issuer.get_attributes_for_oid(oid)
    return Certificate(
        domain=domain,
        fingerprint=_fingerprint(first),
        names=names,
        since=since,
        until=until,
        issuer=str(said[0].value) if said else first.issuer.rfc4514_string(),
        source=source,
    )


def _weak(key: PrivateKeyTypes) -> str:
    """Why clients or nginx do not take a key, or ""."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if isinstance(key, rsa.RSAPrivateKey):
        return "" if key.key_size >= LEAST_BITS else f"RSA of {key.key_size} bits, which is too few"
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return "" if key.curve.name in CURVES else f"on the curve {key.curve.name}"
    return "neither RSA nor on an elliptic curve of NIST's"


def _library() -> ModuleType:
    try:
        from cryptography import x509
    except ImportError as error:
        raise GearError(
            "certificates need the package `cryptography`",
            remedy="pip install 'geartrain[tls]'",
            code=Exit.MISSING,
        ) from error
    return x509


def _pair(chain: bytes, key: bytes) -> tuple[x509.Certificate, PrivateKeyTypes]:
    """The first certificate of a chain that is in order, and the key."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from cryptography.x509 import load_pem_x509_certificates

    try:
        certificates = load_pem_x509_certificates(chain)
    except ValueError as error:
        raise InvalidError(
            "there is no certificate in the certificate's file",
            remedy="it is to be PEM: the certificate first, then its chain",
        ) from error
    try:
        private = load_pem_private_key(key, None)
    except (ValueError, TypeError) as error:
        why = "it has a passphrase" if isinstance(error, TypeError) else "it is not PEM"
        raise InvalidError(
            f"the key cannot be read: {why}",
            remedy="`openssl pkey -in KEY -out PLAIN` writes one without a passphrase",
        ) from error
    for above, below in zip(certificates[1:], certificates, strict=False):
        try:
            below.verify_directly_issued_by(above)
        except Exception as error:  # whatever is wrong with it, clients do not follow it either
            raise InvalidError(
                "the chain is not in order: a certificate is not signed by the next one",
                remedy="the certificate first, then who signed it, and so on; no root is needed",
            ) from error
    return certificates[0], private


def _fingerprint(certificate: x509.Certificate) -> str:
    from cryptography.hazmat.primitives.hashes import SHA256

    return certificate.fingerprint(SHA256()).hex()[:32]


def secured(store: Store, site: Site | None) -> dict[str, Certificate]:
    """The domains of a site that have a certificate, and it."""
    return store.find(site.domains) if site is not None else {}


def hsts(policy: AppPolicy) -> int | None:
    """Seconds for which browsers are to insist on TLS, or None."""
    return None if policy.hsts is None else round(seconds(policy.hsts))


def day(moment: float) -> str:
    """A day as people write it, in UTC."""
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).strftime("%Y-%m-%d")
