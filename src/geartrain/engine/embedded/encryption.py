"""`gear up --tls`: the edge's certificate on a laptop, from the user's own authority."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import structs

from geartrain.app.model import App
from geartrain.app.published import TLS_PORT
from geartrain.app.routes import Site, main_site, sites
from geartrain.engine.embedded.host import Certificate, Host
from geartrain.errors import InvalidError

LOCAL = ("localhost", "127.0.0.1", "::1")


def settle(host: Host, app: App, *, wanted: bool | None) -> tuple[str, ...]:
    """Have a good certificate where one is wanted.

    Args:
        host: remembers what was wanted last.
        app: what is served.
        wanted: serve with TLS; None for what was wanted last.

    Returns:
        What a person has to know, once.

    Raises:
        InvalidError: the app's own nginx decides about TLS, or nothing is served.
    """
    known = host.facts.certificate
    if wanted is None and known is None:
        return ()
    if wanted is False:
        host.remember_certificate(None)
        return ()
    names = (*LOCAL, *app.policy.domains)
    if known and known.names == names and known.until > time.time():
        return ()
    if not (main := main_site(sites(app))) or not main.locations:
        raise InvalidError(
            "nginx's own configuration decides about TLS here" if main else "nothing answers HTTP",
            where=app.compose_file,
            remedy="mount its certificate where `ssl_certificate` says, and leave out --tls"
            if main
            else "leave out --tls",
        )
    from geartrain.engine import authority

    home = authority.home()
    first = not (home / "ca.pem").exists()
    authority.ensure(folder(host), names, home)
    fingerprint, until = authority.describe(folder(host))
    host.remember_certificate(Certificate(fingerprint=fingerprint, names=names, until=until))
    return (f"trust {home}/ca.pem once, and no browser warns (docs/tls.md)",) if first else ()


def folder(host: Host) -> Path:
    """Where the certificate and its key are."""
    return host.folder / "tls"


def with_tls(host: Host, found: Sequence[Site]) -> tuple[Site, ...]:
    """All ports that are listened on: those of the sites, and the one for TLS."""
    main = main_site(found)
    if not host.facts.certificate or main is None:
        return tuple(found)
    return (*found, structs.replace(main, port=TLS_PORT))
