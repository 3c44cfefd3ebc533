"""Whether whoever pushed still waits, and what it means that they do not.

Before the switch a release that nobody waits for is given up, and the old one
goes on. From the switch on it is finished.
"""

from __future__ import annotations

import signal
from types import FrameType

from geartrain.errors import GearError
from geartrain.release.apply import Reporter
from geartrain.release.steps import EnsureData, Migrate, Record, Retire, Step, StopFirst, Switch

# Half of these is worse than all of them: they end before the release is given up.
WHOLE = (EnsureData, Migrate, StopFirst, Retire)


class ClientGoneError(GearError):
    """The client went away before the switch."""

    def __init__(self) -> None:
        super().__init__("whoever pushed went away before the switch; nothing was changed")


class Presence:
    """Hears that the client is gone (SIGHUP) and ends the release where that is right."""

    def __init__(self) -> None:
        self.gone = False
        self._interruptible = True
        self._committed = False

    def listen(self) -> None:
        """From now on SIGHUP and SIGTERM say that the client is gone."""
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._hear)

    def finish(self) -> None:
        """From now on nothing interrupts any more."""
        self._committed, self._interruptible = True, False

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        self.gone = True
        if self._interruptible and not self._committed:
            self._interruptible = False
            raise ClientGoneError

    def enter(self, step: Step) -> None:
        """A step begins.

        Raises:
            ClientGoneError: nobody waits for it, and there is still a way back.
        """
        if self._committed:
            return
        if self.gone:
            self.finish()
            raise ClientGoneError
        self._committed = isinstance(step, Switch | Record)
        self._interruptible = not self._committed and not isinstance(step, WHOLE)


class Attended:
    """A reporter for somebody who may go away."""

    def __init__(self, shown: Reporter, presence: Presence) -> None:
        self._shown = shown
        self._presence = presence

    def begin(self, step: Step) -> None:
        """A step begins."""
        self._presence.enter(step)
        self._shown.begin(step)

    def say(self, text: str) -> None:
        """Something worth knowing happened within it."""
        self._shown.say(text)

    def end(self, step: Step, seconds: float) -> None:
        """The step is done."""
        self._shown.end(step, seconds)

    def fail(self, step: Step, seconds: float) -> None:
        """The step failed."""
        self._shown.fail(step, seconds)
