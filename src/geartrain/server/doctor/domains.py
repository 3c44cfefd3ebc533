"""Domains: whether they lead here, seen by asking for a file that only this host has."""

from __future__ import annotations

import http.client
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from geartrain.engine.certificates import Store
from geartrain.server import pointing
from geartrain.server.certificates import Row
from geartrain.server.doctor.finding import Finding

SECONDS = 5.0  # for an answer
AT_ONCE = 8


def domains(rows: list[Row], store: Store, now: float, port: int = 80) -> list[Finding]:
    """What is to be said of each domain that an app claims.

    Args:
        rows: the domains, with their certificates.
        store: the host's certificates.
        now: Unix time.
        port: where http is answered.
    """
    claimed = [row for row in rows if row.app]
    with _file(store) as (name, text), ThreadPoolExecutor(AT_ONCE) as pool:
        led = pool.map(lambda row: _leads_here(row.domain, name, text, port), claimed)
        found = [one for row, one in zip(claimed, led, strict=True) if one is not None]
    return [*found, *(_certificate(row, store, now) for row in rows)]


def keys(store: Store) -> Iterator[Finding]:
    """Which private keys others than the host's owner can read."""
    for path in sorted((store.folder / "certificates").glob("*/key.pem")):
        if path.stat().st_mode & 0o077:
            yield Finding(
                what=f"{path} can be read by others",
                ok=False,
                remedy=f"chmod 600 {path}, and a new key if others were on this machine",
            )


@contextmanager
def _file(store: Store) -> Iterator[tuple[str, str]]:
    """A file of random content where those are that prove a domain to a certificate's issuer."""
    name, text = f"gear-doctor-{secrets.token_hex(8)}", secrets.token_hex(16)
    store.challenges.mkdir(parents=True, exist_ok=True)
    path = store.challenges / name
    path.write_text(text)
    path.chmod(0o644)
    try:
        yield name, text
    finally:
        path.unlink(missing_ok=True)


def _leads_here(domain: str, name: str, text: str, port: int) -> Finding | None:
    if domain.startswith("*."):
        return None
    found = pointing.addresses(domain)
    if not found:
        return Finding(
            what=f"{domain} {pointing.told(domain)}",
            ok=False,
            remedy="an A or AAAA record at whoever keeps the domain's DNS",
        )
    addresses = ", ".join(found)
    why = _asked(domain, f"/.well-known/acme-challenge/{name}", text, port)
    return Finding(
        what=f"{domain} ({addresses}) leads " + (f"elsewhere: {why}" if why else "here"),
        ok=not why,
        remedy="change its DNS, or let port 80 through to this machine",
    )


def _asked(domain: str, path: str, text: str, port: int) -> str:
    """What is wrong with the answer, or ""."""
    connection = http.client.HTTPConnection(domain, port, timeout=SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.status == 200 and answer.read(len(text)) == text.encode():
            return ""
    except (OSError, http.client.HTTPException) as error:
        return f"no answer on port {port} ({str(error) or type(error).__name__})"
    else:
        return f"somebody else answers on port {port}, with {answer.status}"
    finally:
        connection.close()


def _certificate(row: Row, store: Store, now: float) -> Finding:
    one = row.certificate
    if one is None:
        asked = store.settings().acme
        return Finding(
            what=f"{row.domain} has no certificate",
            ok=False,
            remedy="gear tls renew" if asked else "gear tls settings --acme, or gear tls set",
        )
    if one.ends_soon(now):
        return Finding(what=one.warning(now), ok=False, remedy="gear tls renew, or gear tls set")
    days = (one.until - now) / 86400
    return Finding(what=f"the certificate of {row.domain} is good for {days:.0f} days")
