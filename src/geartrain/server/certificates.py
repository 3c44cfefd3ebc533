"""Which domains of a host have certificates, and having its apps served with them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from msgspec import Struct

from geartrain.app.release import Release
from geartrain.engine.certificates import Certificate, Source
from geartrain.errors import GearError
from geartrain.release import moves
from geartrain.release.apply import Silent
from geartrain.release.deploy import Cause
from geartrain.render.nginx.claims import Claim
from geartrain.server.app import ServerApp
from geartrain.server.host import ServerHost


class Row(Struct, frozen=True, kw_only=True):
    """A domain of a host, the apps that claim it, and the certificate that there is for it."""

    domain: str
    app: str
    certificate: Certificate | None


def rows(host: ServerHost) -> list[Row]:
    """Every domain that a live release claims or that has a certificate, sorted."""
    claimed: dict[str, str] = {}
    for app, release in live(host):
        for domain in release.app.policy.domains:
            claimed[domain] = ", ".join(filter(None, (claimed.get(domain), app.name)))
    found = host.certificates.find(claimed)
    every = host.certificates.every()
    names = sorted({*claimed, *every})
    return [
        Row(domain=n, app=claimed.get(n, ""), certificate=found.get(n) or every.get(n))
        for n in names
    ]


def domains(app: ServerApp) -> tuple[str, ...]:
    """The domains of an app's live release."""
    ledger = app.ledger(app.home())
    release = ledger.read(ledger.desired().live)
    return tuple(release.app.policy.domains) if release else ()


def live(host: ServerHost) -> Iterator[tuple[ServerApp, Release]]:
    """The apps that should run, with their live releases."""
    for name in host.names():
        app = ServerApp(host, name)
        ledger = app.ledger(app.home())
        desired = ledger.desired()
        if not desired.stopped and (release := ledger.read(desired.live)) is not None:
            yield app, release


def serve(host: ServerHost, domain: str, by: str) -> list[str]:
    """Have the apps that claim a domain served with the certificate that there is now.

    Args:
        host: the host.
        domain: the domain, or `*.` and one for all below it.
        by: who wants it.

    Returns:
        The names of the apps.

    Raises:
        GearError: nginx does not take it; it serves as before.
    """
    names = []
    for app, release in live(host):
        domains = release.app.policy.domains
        below = f".{domain.removeprefix('*.')}" if domain.startswith("*.") else None
        if domain in domains or (below and any(one.endswith(below) for one in domains)):
            bring_about(app, by)
            names.append(app.name)
    return names


def exchange(
    host: ServerHost, domain: str, chain: bytes, key: bytes, source: Source, by: str
) -> tuple[Certificate, list[str]]:
    """Keep a certificate and have its apps served with it; the one before stays where that fails.

    Args:
        host: the host.
        domain: the domain, or `*.` and one for all below it.
        chain: PEM, the certificate itself first.
        key: PEM, without a passphrase.
        source: where it comes from.
        by: who wants it.

    Returns:
        The certificate, and the names of the apps.

    Raises:
        GearError: it is not good for the domain, or nginx does not take it.
    """
    store = host.certificates
    before = store.every().get(domain)
    made = store.put(domain, chain, key, source)
    try:
        return made, serve(host, domain, by)
    except BaseException:
        store.put_back(made, before)
        with contextlib.suppress(GearError):  # those that took it already
            serve(host, domain, by)
        raise


def catch_up(host: ServerHost, by: str, say: Callable[[str], None]) -> None:
    """Have those apps served with their certificates whose switch did not come to its end.

    Args:
        host: the host.
        by: who wants it.
        say: told what fails.
    """
    store = host.certificates
    claims = _claims(host)
    for app, release in live(host):
        mine = claims.get(app.name)
        there = store.find(release.app.policy.domains)
        if mine is None or {d: c.fingerprint for d, c in there.items()} == mine.certificates:
            continue
        try:
            bring_about(app, by)
        except GearError as error:
            say(f"{app.name}: {error.what}")


def sweep(host: ServerHost) -> None:
    """Delete the certificates that no domain has, nor had lately, and that nginx does not name."""
    named = {one for claim in _claims(host).values() for one in claim.certificates.values()}
    host.certificates.sweep(named)


def _claims(host: ServerHost) -> dict[str, Claim]:
    """What each app has of the edge; nothing before the first one."""
    from geartrain.engine.docker import edge
    from geartrain.engine.docker.host import DockerHost

    own = DockerHost(host.folder)
    return edge.claims(own) if own.exists() else {}


def bring_about(app: ServerApp, by: str) -> None:
    """Converge an app: one that is not served with the certificates that there are, is then.

    Raises:
        GearError: it did not get there.
    """
    home = app.home()
    with home.lock("`gear tls`"):
        if not app.exists():
            return
        ledger = app.ledger(home)
        desired = ledger.desired()
        if desired.stopped or desired.live is None:
            return
        home.project = home.releases / str(desired.live) / "src"
        cause = Cause(by=by, via="gear tls")
        moves.converge(app.engine(home), ledger, desired, Silent(), cause)
