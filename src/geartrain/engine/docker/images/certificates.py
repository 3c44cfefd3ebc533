"""The authorities that this machine trusts besides the public ones: a company's own.

Where a company's proxy signs its own certificates for everything, an image that does not know its
authority can install nothing. So they come along, in the place where the image's own tools
(`update-ca-certificates`) find them again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_SETTINGS = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
_PUBLIC = Path("/usr/share/ca-certificates")  # Mozilla's, as Debian and Ubuntu have them
_OWN = (Path("/usr/local/share/ca-certificates"), Path("/etc/pki/ca-trust/source/anchors"))


def blocks(text: str) -> tuple[str, ...]:
    """The certificates of a PEM file (RFC 7468), without what stands between them."""
    found = (re.sub(r"[ \t\r]+(?=\n)|[ \t\r]+$", "", block) for block in _BLOCK.findall(text))
    return tuple(dict.fromkeys(found))


def extra(trusted: Iterable[str], public: Iterable[str]) -> tuple[str, ...]:
    """What is trusted here and is not one of the public authorities."""
    known = {block for text in public for block in blocks(text)}
    found = dict.fromkeys(block for text in trusted for block in blocks(text))
    return tuple(block for block in found if block not in known)


def of_machine(environ: Mapping[str, str]) -> tuple[str, ...]:
    """This machine's own authorities, as PEM blocks."""
    own = [path for folder in _OWN if folder.is_dir() for path in sorted(folder.rglob("*"))]
    trusted = [text for path in own if (text := _read(path))]
    public = [_read(path) for path in sorted(_PUBLIC.rglob("*.crt"))] if _PUBLIC.is_dir() else []
    if public:  # only then can the others in a bundle be told apart
        named = [environ[name] for name in _SETTINGS if environ.get(name)]
        trusted += [_read(Path(name)) for name in dict.fromkeys([*named, *_BUNDLES])]
    return extra(trusted, public)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace") if path.is_file() else ""
    except OSError:
        return ""
