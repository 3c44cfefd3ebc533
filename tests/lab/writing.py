"""Somebody who stores rows all the time, and remembers which were acknowledged."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab.site import Site

PAUSE = 0.02  # seconds; a load that leaves the machine room for what is tested

numbers = itertools.count(1)


@contextmanager
def writing(site: Site, acknowledged: list[str]) -> Iterator[None]:
    """Store rows while the block runs.

    Args:
        site: where.
        acknowledged: gets the text of each row that the app said is stored.
    """
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            text = f"row {next(numbers)}"
            if site.add_row(text):
                acknowledged.append(text)
            time.sleep(PAUSE)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
