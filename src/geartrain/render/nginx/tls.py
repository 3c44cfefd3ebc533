"""TLS at the edge: which versions and ciphers, and where callers without it are sent.

Mozilla's "Server Side TLS", intermediate profile, in nginx's words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from posixpath import isabs

from msgspec import Struct

from geartrain.errors import InvalidError
from geartrain.render.nginx.binding import ADDRESS
from geartrain.render.nginx.words import block, word

PORT = 443
CIPHERS = (
    *("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
    *("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"),
    *("ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"),
)
CURVES = ("X25519", "prime256v1", "secp384r1")
# The profile's version 6.0, for an OpenSSL of 3.5 or newer. Those from 3.3 on leave out a group
# with a `?` that they do not know; older ones refuse it (SSL_CTX_set1_groups_list(3)).
HYBRID = "?X25519MLKEM768"
OPTIONAL = (3, 3)
CHALLENGES = "/.well-known/acme-challenge/"  # RFC 8555, 8.3
HSTS = "$strict_transport"
SHOWN = "$certificate_shown"


class Served(Struct, frozen=True, kw_only=True):
    """A certificate, and the names that it is served under.

    Raises:
        InvalidError: a path is not absolute.
    """

    certificate: str
    """Absolute path of the certificate with its chain (PEM)."""
    key: str
    """Absolute path of its private key (PEM)."""
    names: tuple[str, ...] = ()
    """Empty for all that the site answers to."""
    mark: str = ""
    """Names it among those of other apps, in letters and digits."""

    def __post_init__(self) -> None:
        for path in (self.certificate, self.key):
            if not isabs(path):
                raise InvalidError(f"{path!r} is not an absolute path")


class Tls(Struct, frozen=True, kw_only=True):
    """One site's certificates, and where it is served with them.

    Raises:
        InvalidError: an address is not one.
    """

    site: int
    """Port of the site; there, callers are sent on to TLS."""
    listen: tuple[str, ...]
    """Addresses to listen on for TLS, such as `127.0.0.1:8443`."""
    port: int = PORT
    """Port by which callers reach it."""
    served: tuple[Served, ...] = ()
    """What is served with TLS; without it the site answers as if there were none."""
    hsts: int | None = None
    """Seconds for which browsers are to insist on TLS (RFC 6797)."""

    def __post_init__(self) -> None:
        for address in self.listen:
            if not ADDRESS.fullmatch(address):
                raise InvalidError(f"{address!r} is not an address:port")


def tls_settings(*, hybrid: bool = True) -> list[str]:
    """Write what all servers with TLS share; it stands in `http`."""
    curves = (HYBRID, *CURVES) if hybrid else CURVES
    return [
        "# Mozilla's intermediate profile: every browser of the last ten years.",
        "ssl_protocols TLSv1.2 TLSv1.3;",
        f"ssl_ciphers {':'.join(CIPHERS)};",
        f"ssl_ecdh_curve {':'.join(curves)};",
        "ssl_prefer_server_ciphers off;",
        "ssl_session_cache shared:tls:10m;",
        "ssl_session_timeout 1d;",
        "ssl_session_tickets off;",
        "# Small records at first: the first byte of an answer need not wait for 16 kB.",
        "ssl_buffer_size 4k;",
    ]


def listens(addresses: Sequence[str], *, default: bool = False) -> list[str]:
    """Write where a server listens with TLS, and that it speaks HTTP/2 there."""
    words = " default_server" if default else ""
    return [*(f"listen {address} ssl{words};" for address in addresses), "http2 on;"]


def identity(served: Served) -> list[str]:
    """Write what a server shows for itself."""
    return [
        f"ssl_certificate {word(served.certificate, 'path')};",
        f"ssl_certificate_key {word(served.key, 'path')};",
    ]


def shown(chosen: Mapping[str, str]) -> list[str]:
    """Write which certificate a connection was shown, by the name that it was opened under.

    Args:
        chosen: domain → the certificate's mark.
    """
    return block(
        f"map $ssl_server_name {SHOWN}",
        ["hostnames;", 'default "";', *(f"{_plain(d)} {m};" for d, m in sorted(chosen.items()))],
    )


def _plain(domain: str) -> str:
    """A domain in a `map`, whose own words are told apart from values by a backslash."""
    return f"\\{domain}" if domain in ("default", "hostnames", "include", "volatile") else domain


def covered(served: Served) -> list[str]:
    """Write that a certificate's names are answered only where it was shown (RFC 9110, 15.5.20).

    A browser may use a connection for every name of the certificate that it was
    shown; nobody may for a name that another certificate is served for.
    """
    return [f'if ({SHOWN} != "{served.mark}") {{ return 421; }}'] if served.mark else []


def insist(tls: Tls) -> list[str]:
    """Write for how long callers are to come by TLS alone; `HSTS` is sent where it is set."""
    return [f'set {HSTS} "max-age={tls.hsts}";'] if tls.hsts is not None else []


def challenges(folder: str) -> list[str]:
    """Write where a certificate authority asks whether a domain is this machine's."""
    return block(
        f"location ^~ {CHALLENGES}",
        [f"root {word(folder, 'folder')};", "default_type text/plain;", "try_files $uri =404;"],
    )


def secure_url(tls: Tls) -> str:
    """Where a caller without TLS finds the same page with it."""
    return "https://$host" + ("" if tls.port == PORT else f":{tls.port}") + "$request_uri"


def redirect(
    addresses: tuple[str, ...], names: str, tls: Tls, asked: Sequence[str] = ()
) -> list[str]:
    """Write the server that sends callers without TLS on; 308 keeps a POST a POST (RFC 9110).

    Args:
        addresses: where it listens.
        names: the server's names.
        tls: where they are sent.
        asked: what it answers itself, of `challenges`.
    """
    return block(
        "server",
        [
            *(f"listen {address};" for address in addresses),
            f"server_name {names};",
            *asked,
            f"location / {{ return 308 {secure_url(tls)}; }}",
        ],
    )


def strangers(addresses: Sequence[str]) -> list[str]:
    """Write the server for names that are not the app's: it shows them no certificate."""
    return block(
        "server",
        [
            *listens(addresses, default=True),
            "server_name _;",
            "ssl_reject_handshake on;",
            "# For a connection that was opened under the app's name.",
            "location / { return 421; }",
        ],
    )
