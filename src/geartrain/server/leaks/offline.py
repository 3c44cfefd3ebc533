"""Keeps a process that searches strangers' files from ever asking the network.

detect-secrets can ask a token's maker whether it is a real one, and loads `requests` for that: a
third of the time that a small search takes. Here a stand-in is loaded in its place.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import NoReturn


class Nobody(ModuleType):
    """In the place of `requests`: names that are looked up while modules load, and no calls."""

    exceptions = ModuleType("requests.exceptions")
    Response = object

    def get(self, *_: object, **__: object) -> NoReturn:
        """Refuse."""
        raise ConnectionError("a search for secrets asks nobody")

    post = get


def stay() -> None:
    """Be offline. Called before detect-secrets is loaded."""
    sys.modules["requests"] = Nobody("requests")
