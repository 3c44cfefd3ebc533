"""`gear up --watch`: a release for each change of the files."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from geartrain.cli.machine import refusal
from geartrain.cli.output import note, show_error
from geartrain.engine.embedded.host import Host
from geartrain.errors import GearError
from geartrain.load import Loaded

LOOK_EVERY = 1000  # milliseconds


def watch_and_release(host: Host, load: Callable[[], Loaded], ended: threading.Event) -> None:
    """Release whenever files below the project change, until `ended` is set.

    A change that does not load, or does not get healthy, is told, and the last
    good version goes on. What was saved before the watch began counts too.
    """
    from watchfiles import DefaultFilter, watch

    keep = DefaultFilter(ignore_dirs=(*DefaultFilter.ignore_dirs, ".gear"))
    changes = watch(
        host.project, watch_filter=keep, stop_event=ended, debounce=300,
        rust_timeout=LOOK_EVERY, yield_on_timeout=True, raise_interrupt=False,
    )  # fmt: skip
    note(f"watching {host.project}")
    looked = False
    for changed in changes:
        if changed or not looked:
            _release(host, load, ended)
        looked = True


def _release(host: Host, load: Callable[[], Loaded], ended: threading.Event) -> None:
    from geartrain.cli import after_up
    from geartrain.cli.releasing import release

    began = time.monotonic()
    try:
        loaded = load()
        with host.lock("`gear up --watch`", note):
            if ended.is_set():  # everything was stopped meanwhile
                return
            result, known = release(host, loaded, began)
    except GearError as error:
        show_error(error)
    except OSError as error:
        said = refusal(error)
        if said is None:
            raise
        show_error(said)
    else:
        if result.changed:
            note(f"release {result.release.number} is live after {result.live_after:.2f} s")
        after_up.watch(host, result, known, ended)
