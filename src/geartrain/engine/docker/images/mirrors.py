"""Where packages of a distribution come from: this machine's own sources where they fit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from geartrain.engine.docker.images.suites import SUITES, Suite

DEBIAN = "http://deb.debian.org/debian"
DEBIAN_SECURITY = "http://deb.debian.org/debian-security"
UBUNTU = "http://archive.ubuntu.com/ubuntu"
UBUNTU_PORTS = "http://ports.ubuntu.com/ubuntu-ports"  # all but amd64
KEYRINGS = Path("/usr/share/keyrings")


def uris(texts: Iterable[str]) -> dict[str, str]:
    """Suite → address, from the texts of apt's sources (sources.list(5), both formats)."""
    found: dict[str, str] = {}
    for text in texts:
        for line in text.splitlines():
            if one := re.match(r"\s*deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)", line):
                found.setdefault(one[2], one[1])
        for paragraph in re.split(r"\n\s*\n", text):
            fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(\S.*)$", paragraph, re.M))
            if "deb" in fields.get("Types", "").split() and fields.get("URIs"):
                for suite in fields.get("Suites", "").split():
                    found.setdefault(suite, fields["URIs"].split()[0])
    return found


def of_machine() -> dict[str, str]:
    """What this machine's apt is told; empty where there is none."""
    folder = Path("/etc/apt")
    paths = [folder / "sources.list", *sorted(folder.glob("sources.list.d/*"))]
    named = (path for path in paths if path.suffix in (".list", ".sources") and path.is_file())
    return uris(path.read_text(errors="replace") for path in named)


def sources(suite: Suite, arch: str, known: Mapping[str, str], keyring: Path) -> list[str]:
    """Lines for apt about a suite, its corrections, and its security team's.

    Args:
        suite: what to install.
        arch: Debian's name of the machine (`amd64`).
        known: what the machine's own apt is told.
        keyring: the distribution's keys.
    """
    main, security = _addresses(suite, arch, known)
    components = suite.components.replace(",", " ")
    lines = [(main, name) for name in (suite.name, *suite.pockets)]
    if not suite.testing:
        lines.append((security, f"{suite.name}-security"))
    return [f"deb [signed-by={keyring}] {uri} {name} {components}" for uri, name in lines]


def _addresses(suite: Suite, arch: str, known: Mapping[str, str]) -> tuple[str, str]:
    kin = [s for s in SUITES.values() if s.ubuntu == suite.ubuntu]
    # A mirror of one release is one of its siblings too.
    main = next((known[s.name] for s in [suite, *kin] if s.name in known), "")
    safe = next((known[n] for s in [suite, *kin] if (n := f"{s.name}-security") in known), "")
    if suite.ubuntu:
        default = UBUNTU if arch == "amd64" else UBUNTU_PORTS
        return main or default, safe or main or default
    if not safe and main.rstrip("/").endswith("/debian"):
        safe = f"{main.rstrip('/')}-security"
    return main or DEBIAN, safe or DEBIAN_SECURITY


def without_login(uri: str) -> str:
    """An address without a user's name and password."""
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
