"""What lives as long as the process, and how endpoints get at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from app.cache import Targets
from app.clicks import Recorder
from app.events import Hub
from app.fast import Fast
from app.passwords import Guesses
from app.sessions import Sessions
from app.store import Store


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """Everything that endpoints use."""

    store: Store
    fast: Fast
    targets: Targets
    recorder: Recorder
    sessions: Sessions
    guesses: Guesses
    hub: Hub


def parts(request: Request) -> Parts:
    found: Parts = request.state.parts
    return found


Have = Annotated[Parts, Depends(parts)]
