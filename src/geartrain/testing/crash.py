"""`kill -9` of whoever uses an engine, at a chosen moment."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Crash(BaseException):
    """The caller is killed here. Not an `Exception`: no clean-up runs after `kill -9`."""


class Moments:
    """Counts the moments of a run and kills at one of them.

    Every verb of an engine has a moment before it, one after it, and one
    between any two things that it changes. Once killed, every later moment
    kills again until `revive`: what is dead does nothing more, not even undo.
    """

    def __init__(self) -> None:
        self.count = 0
        self.dead = False
        self._at: int | None = None
        self._when: Callable[[], bool] | None = None
        self._lock = threading.Lock()

    def kill_at(self, number: int | None) -> None:
        """Kill at the moment of this number, counted from 1 from now on; None for never."""
        self.count, self._at = 0, number

    def kill_when(self, true: Callable[[], bool]) -> None:
        """Kill at the first moment at which something is true."""
        self._when = true

    def passes(self) -> None:
        """One moment goes by.

        Raises:
            Crash: it was the one, or an earlier one was.
        """
        with self._lock:
            if self.dead:
                raise Crash
            self.count += 1
            if self.count == self._at or (self._when and self._when()):
                self.dead = True
                raise Crash(f"killed at moment {self.count}")

    def revive(self) -> None:
        """A new caller begins, which is not killed."""
        self.dead, self._at, self._when = False, None, None
