"""Which domains of a host have certificates, and having its apps served with them."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from geartrain.app.release import Release
from geartrain.engine.certificates import Certificate
from geartrain.release import moves
from geartrain.release.apply import Silent
from geartrain.release.deploy import Cause
from geartrain.server.app import ServerApp
from geartrain.server.host import ServerHost


class Row(Struct, frozen=True, kw_only=True):
    """A domain of a host, the app that claims it, and the certificate that there is for it."""

    domain: str
    app: str
    certificate: Certificate | None


def rows(host: ServerHost) -> list[Row]:
    """Every domain that a live release claims or that has a certificate, sorted."""
    claimed = {domain: app.name for app, release in live(host)
               for domain in release.app.policy.domains}  # fmt: skip
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
