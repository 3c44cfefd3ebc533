"""A text file of an app's repository that is read as configuration."""

from __future__ import annotations

from msgspec import Struct


class ConfigFile(Struct, frozen=True):
    """How messages call the file (`nginx/default.conf`), and its text."""

    name: str
    text: str
