"""Certificates that a host asks for: which domains need one, and what came of asking."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import msgspec
from msgspec import Struct

from geartrain import durable
from geartrain.engine.certificates import Certificate, Source, Store
from geartrain.errors import Exit, GearError, InvalidError
from geartrain.server import certificates
from geartrain.server.app import ServerApp
from geartrain.server.host import EngineKind, ServerHost

FIRST = 900.0  # seconds until a failed try is repeated; each further failure doubles it
LONGEST = 86400.0
TURN_WITHIN = 600.0  # seconds for another renewal of this host to end


class Try(Struct, frozen=True, kw_only=True):
    """A failure to get a certificate. Times are Unix times, in seconds."""

    why: str
    failures: int
    again: float


def tries(store: Store) -> dict[str, Try]:
    """Domain → the failure since its last certificate."""
    try:
        text = (store.folder / "tries.json").read_bytes()
    except FileNotFoundError:
        return {}
    return msgspec.json.decode(text, type=dict[str, Try])


def troubles(app: ServerApp, now: float) -> list[str]:
    """What is wrong with the certificates of an app's live release, or will soon be."""
    store = app.host.certificates
    late = [one for one in store.every().values() if one.ends_soon(now)]
    failed = tries(store)
    if not late and not failed:
        return []  # and no release needs to be read
    mine = certificates.domains(app)
    ending = {one.fingerprint: one for one in store.find(mine).values() if one.ends_soon(now)}
    return [
        *(f"no new certificate for {d}: {one.why}" for d, one in failed.items() if d in mine),
        *(one.warning(now) for one in ending.values()),
    ]


def is_due(one: Certificate | None, now: float) -> bool:
    """True for a domain without one, and in the last third of the life of one from ACME."""
    if one is None:
        return True
    return one.source is Source.ACME and now > one.until - (one.until - one.since) / 3


def renew(
    host: ServerHost, by: str, say: Callable[[str], None], only: Collection[str] = ()
) -> dict[str, str]:
    """Get the certificates that are due, and have the apps served with them.

    What fails leaves the old certificate where it is, and is tried again later.

    Args:
        host: the host.
        by: who wants it.
        say: told of each.
        only: these domains, due or not and whatever failed before; default all that are due.

    Returns:
        Domain → why there is none, or "".

    Raises:
        InvalidError: a certificate cannot be asked for under one of these names.
        GearError: somebody else has been asking for long.
    """
    store = host.certificates
    if host.facts.engine is not EngineKind.DOCKER or not store.settings().acme:
        return {}
    _refuse(host, only)
    with _turn(store):
        return _renew(host, by, say, only)


def _refuse(host: ServerHost, only: Collection[str]) -> None:
    """Raise where a name is asked for that no certificate is to be had for."""
    known = {row.domain: row for row in certificates.rows(host) if row.app} if only else {}
    for name in only:
        if name.startswith("*"):
            raise InvalidError(
                f"a certificate for {name} is not to be had by HTTP-01",
                remedy=f"get one elsewhere: gear tls set {name} --cert FILE --key FILE",
            )
        if name not in known:
            raise InvalidError(
                f"no live app has the domain {name}",
                remedy="a domain is claimed by x-gear.domains; `gear tls list` shows all",
            )
        one = known[name].certificate
        if one is not None and one.source is Source.OWN:
            raise InvalidError(
                f"{name} has a certificate of your own, which nobody else renews",
                remedy=f"gear tls set {name} with the next one, or gear tls remove {one.domain}",
            )


@contextmanager
def _turn(store: Store) -> Iterator[None]:
    """Be the only one who asks for this host's certificates."""
    store.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    fd = os.open(store.folder / "renew.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    end = time.monotonic() + TURN_WITHIN
    try:
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise GearError(
                        "certificates are being asked for by somebody else",
                        where=str(store.folder),
                        code=Exit.BUSY,
                    ) from None
                time.sleep(0.1)
        yield
    finally:
        os.close(fd)


def _renew(
    host: ServerHost, by: str, say: Callable[[str], None], only: Collection[str]
) -> dict[str, str]:
    from geartrain.server.acme import NoCertificateError

    store = host.certificates
    done: dict[str, str] = {}
    for row in certificates.rows(host):
        name, now = row.domain, time.time()
        failed = tries(store).get(name)
        own = row.certificate is not None and row.certificate.source is Source.OWN
        if not row.app or name.startswith("*") or own:
            continue
        late = failed is not None and failed.again > now
        if name not in only if only else late or not is_due(row.certificate, now):
            continue
        wrong = _get(host, name, by)
        done[name] = wrong.what if wrong else ""
        if wrong is None:
            _remember(store, name, None)
            say(f"{name}: has a new certificate")
            continue
        count = failed.failures + 1 if failed else 1
        pause = min(LONGEST, FIRST * 2 ** min(count - 1, 10))
        others = False
        if isinstance(wrong, NoCertificateError):
            pause, others = max(pause, wrong.wait), wrong.others
        with contextlib.suppress(OSError):  # the disk may be why
            _remember(store, name, Try(why=wrong.what, failures=count, again=now + pause))
        say(f"{name}: {wrong.what}")
        if wrong.remedy:
            say(f"  → {wrong.remedy}")
        if others:
            break  # the others would be told the same: they are asked for next time
    if not only:
        certificates.catch_up(host, by, say)
    certificates.sweep(host)
    return done


def _get(host: ServerHost, domain: str, by: str) -> GearError | None:
    """Get a certificate and have it served; why it is not."""
    from geartrain.server import acme

    try:
        chain, key = acme.obtain(host.certificates, domain)
        certificates.exchange(host, domain, chain, key, Source.ACME, by)
    except GearError as error:
        return error
    except OSError as error:
        return GearError(f"the certificate cannot be kept: {error.strerror or error}")
    return None


def _remember(store: Store, domain: str, what: Try | None) -> None:
    known = tries(store)
    known.pop(domain, None)
    if what is not None:
        known[domain] = what
    durable.write(store.folder / "tries.json", msgspec.json.format(msgspec.json.encode(known)))
