"""Certificates that a host asks for: which domains need one, and what came of asking."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Collection

import msgspec
from msgspec import Struct

from geartrain import durable
from geartrain.engine.certificates import Certificate, Source, Store
from geartrain.errors import GearError
from geartrain.server import certificates
from geartrain.server.host import EngineKind, ServerHost

FIRST = 900.0  # seconds until a failed try is repeated; each further failure doubles it
LONGEST = 86400.0


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
    """
    store = host.certificates
    if host.facts.engine is not EngineKind.DOCKER or not store.settings().acme:
        return {}
    store.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    fd = os.open(store.folder / "renew.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        return _renew(host, by, say, only)
    finally:
        os.close(fd)


def _renew(
    host: ServerHost, by: str, say: Callable[[str], None], only: Collection[str]
) -> dict[str, str]:
    from geartrain.server import acme

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
        try:
            store.put(name, *acme.obtain(store, name), Source.ACME)
            certificates.serve(host, name, by)
            done[name] = ""
        except GearError as error:
            count = failed.failures + 1 if failed else 1
            again = now + min(LONGEST, FIRST * 2 ** min(count - 1, 10))
            done[name] = error.what
            _remember(store, name, Try(why=error.what, failures=count, again=again))
            say(f"{name}: {error.what}")
            continue
        _remember(store, name, None)
        say(f"{name}: has a new certificate")
    store.sweep()
    return done


def _remember(store: Store, domain: str, what: Try | None) -> None:
    known = tries(store)
    known.pop(domain, None)
    if what is not None:
        known[domain] = what
    durable.write(store.folder / "tries.json", msgspec.json.format(msgspec.json.encode(known)))
