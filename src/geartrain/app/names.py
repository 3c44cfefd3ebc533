"""Names that are safe in a path, a host name and a configuration file.

Compose allows `[a-zA-Z0-9._-]+` for services; here they also become folder
names and upstream groups, so what would be read as something else is refused.
"""

from __future__ import annotations

import re

from geartrain.app.finding import Finding, KeyPath, shown_value

MAX_NAME = 63  # one label of a host name (RFC 1035, 2.3.4)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?")
# Docker's reference grammar, without its finer points: host:port/path:tag@digest.
_IMAGE = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9.-]*(:\d+)?/)?[a-z0-9._-]+(/[a-z0-9._-]+)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[0-9a-f]{64})?"
)


def check_name(kind: str, name: str, path: KeyPath) -> list[Finding]:
    """Check the name of a service, volume, secret or config.

    Args:
        kind: what it names, for the message.
        name: the name.
        path: where it stands.
    """
    if len(name) > MAX_NAME:
        what = f"the {kind} name {shown_value(name)} has {len(name)} characters"
        return [Finding(path, what, f"use at most {MAX_NAME}")]
    if not _NAME.fullmatch(name):
        what = f"{shown_value(name)} is not a safe {kind} name"
        remedy = "use letters, digits, '-', '_' and '.', and start with a letter or digit"
        return [Finding(path, what, remedy)]
    return []


def check_alias(name: str, path: KeyPath) -> list[Finding]:
    """Check a further network name (`container_name`, `hostname`, `links`, aliases)."""
    if len(name) <= 253 and _HOST.fullmatch(name):
        return []
    what = f"{shown_value(name)} is not a safe host name"
    return [Finding(path, what, "use letters, digits, '-', '_' and '.'")]


def check_image(image: str, path: KeyPath) -> list[Finding]:
    """Check an image name: `postgres:16`, `ghcr.io/team/app@sha256:...`."""
    if len(image) <= 512 and _IMAGE.fullmatch(image):
        return []
    what = f"{shown_value(image)} is not an image name"
    return [Finding(path, what, "write it like postgres:16 or ghcr.io/team/app:1.2")]


def app_name(text: str) -> str:
    """Turn a project or folder name into an app name; `app` when nothing is left.

    An app name is lower-case letters, digits and '-', starts with a letter and
    has at most 40 characters.
    """
    name = re.sub(r"[^a-z0-9-]+", "-", text.lower()).strip("-")
    if name and not name[0].isalpha():
        name = f"app-{name}"
    return name[:40].rstrip("-") or "app"
