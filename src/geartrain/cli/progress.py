"""Shows a plan being carried out: a line a step, with its time."""

from __future__ import annotations

import sys
import threading

from geartrain.cli.output import note, paint

QUIET_FOR = 2.0


class Progress:
    """Prints to stderr. A step that takes long is announced while it runs."""

    def __init__(self) -> None:
        self._timers: dict[object, threading.Timer] = {}

    def begin(self, step: object) -> None:
        """A step begins."""
        timer = self._timers[step] = threading.Timer(QUIET_FOR, note, [f"  … {step}"])
        timer.daemon = True
        timer.start()

    def say(self, text: str) -> None:
        """Something worth knowing happened within it."""
        note(f"    {text}")

    def end(self, step: object, seconds: float) -> None:
        """The step is done."""
        self._cancel(step)
        note(f"  {paint('✓', 'green', sys.stderr)} {step}  {seconds:.2f} s")

    def fail(self, step: object, seconds: float) -> None:
        """The step failed."""
        self._cancel(step)
        note(f"  {paint('✗', 'red', sys.stderr)} {step}  {seconds:.2f} s")

    def _cancel(self, step: object) -> None:
        if timer := self._timers.pop(step, None):
            timer.cancel()
