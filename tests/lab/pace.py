"""A client that asks at a steady pace, each time anew, and notes when it got no answer."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.cli.running import until
from tests.lab.site import Site

PAUSE = 0.02  # seconds
PATIENCE = 2.0  # seconds for an answer; a request that waits longer is lost


@dataclass
class Asked:
    """Requests: when each began, and why it was lost, or ""."""

    every: list[tuple[float, str]] = field(default_factory=list)

    def lost(self) -> list[str]:
        """Why, of each that got no good answer."""
        return [why for _, why in self.every if why]

    def answered_since(self, began: float) -> float:
        """Seconds from then to the first request after which none was lost any more; 0 for none."""
        late = [at for at, why in self.every if why and at >= began]
        if not late:
            return 0.0
        return min(at for at, why in self.every if not why and at > late[-1]) - began


@contextmanager
def asking(site: Site, path: str = "/") -> Iterator[Asked]:
    """Ask while the block runs, and until a second without a loss has passed."""
    seen, stop = Asked(), threading.Event()

    def ask() -> None:
        while not stop.is_set():
            began = time.monotonic()
            why = ""
            try:
                status, _ = site.ask("GET", path, patience=PATIENCE)
                why = "" if status == 200 else str(status)
            except (OSError, http.client.HTTPException) as error:
                why = repr(error)
            seen.every.append((began, why))
            time.sleep(max(0.0, began + PAUSE - time.monotonic()))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        until(lambda: len(seen.every) > 10, "requests are under way")
        yield seen
        ended = time.monotonic()
        until(lambda: _calm(seen, ended), "a second without a loss", 180)
    finally:
        stop.set()
        thread.join()


def _calm(seen: Asked, ended: float) -> bool:
    now = time.monotonic()
    last = max((at for at, why in list(seen.every) if why), default=0.0)
    return now - max(last, ended) > 1 and seen.every[-1][0] > last
