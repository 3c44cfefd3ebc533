"""TLS at the edge: which versions and ciphers, and where callers without it are sent.

Mozilla's "Server Side TLS", intermediate profile, in nginx's words.
"""

from __future__ import annotations

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


class Tls(Struct, frozen=True, kw_only=True):
    """One site's certificate, and where it is served with it.

    Raises:
        InvalidError: an address is not one, or a path is not absolute.
    """

    site: int
    """Port of the site; there, callers are sent on to TLS."""
    listen: tuple[str, ...]
    """Addresses to listen on for TLS, such as `127.0.0.1:8443`."""
    port: int = PORT
    """Port by which callers reach it."""
    certificate: str
    """Absolute path of the certificate with its chain (PEM)."""
    key: str
    """Absolute path of its private key (PEM)."""

    def __post_init__(self) -> None:
        for address in self.listen:
            if not ADDRESS.fullmatch(address):
                raise InvalidError(f"{address!r} is not an address:port")
        for path in (self.certificate, self.key):
            if not isabs(path):
                raise InvalidError(f"{path!r} is not an absolute path")


def tls_settings(tls: Tls) -> list[str]:
    """Write what all servers with TLS share; it stands in `http`."""
    return [
        "# Mozilla's intermediate profile: every browser of the last ten years.",
        f"ssl_certificate {word(tls.certificate, 'path')};",
        f"ssl_certificate_key {word(tls.key, 'path')};",
        "ssl_protocols TLSv1.2 TLSv1.3;",
        f"ssl_ciphers {':'.join(CIPHERS)};",
        f"ssl_ecdh_curve {':'.join(CURVES)};",
        "ssl_prefer_server_ciphers off;",
        "ssl_session_cache shared:tls:10m;",
        "ssl_session_timeout 1d;",
        "ssl_session_tickets off;",
        "# Small records at first: the first byte of an answer need not wait for 16 kB.",
        "ssl_buffer_size 4k;",
    ]


def listens(tls: Tls, *, default: bool = False) -> list[str]:
    """Write where a server listens with TLS, and that it speaks HTTP/2 there."""
    words = " default_server" if default else ""
    return [*(f"listen {address} ssl{words};" for address in tls.listen), "http2 on;"]


def redirect(addresses: tuple[str, ...], names: str, tls: Tls) -> list[str]:
    """Write the server that sends callers without TLS on; 308 keeps a POST a POST (RFC 9110)."""
    port = "" if tls.port == PORT else f":{tls.port}"
    return block(
        "server",
        [
            *(f"listen {address};" for address in addresses),
            f"server_name {names};",
            f"location / {{ return 308 https://$host{port}$request_uri; }}",
        ],
    )


def strangers(tls: Tls) -> list[str]:
    """Write the server for names that are not the app's: it shows them no certificate."""
    return block(
        "server",
        [
            *listens(tls, default=True),
            "server_name _;",
            "ssl_reject_handshake on;",
            "# For a connection that was opened under the app's name.",
            "location / { return 421; }",
        ],
    )
