"""A build while it runs, quietly: one line for each step of the Dockerfile, with its time.

What the programs of a step print is not told: it is much, and may hold what nobody should read.
The last lines of a step that fails are another matter (`failure`). Steps from the cache are not
told either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from geartrain.engine.protocol import Say

LONG = (10.0, 30.0, 60.0)
"""Seconds after which a step that still runs is told of; after the last one, each time again."""
WIDTH = 72
SECRET = 6  # characters: shorter values of build arguments are versions, and words like `true`
# `#7 [build 2/5] RUN make`, `#7 DONE 1.2s`, `#7 CACHED`, `#7 3.1 what the program said`
_NAMED = re.compile(r"#(\d+) \[(?:[^\]]*\s)?(\d+/\d+)\] (.+)")
_DONE = re.compile(r"#(\d+) DONE (\d+\.\d+)s")
_CACHED = re.compile(r"#(\d+) CACHED")
_SAID = re.compile(r"#(\d+) (\d+\.\d+) ")
# The older builder: `Step 2/5 : RUN make`, ` ---> Using cache`, and no times.
_STEP = re.compile(r"Step (\d+/\d+) : (.+)")
_END = re.compile(r"Successfully built |Removing intermediate container ")
_MADE = re.compile(r" ---> [0-9a-f]{12}$")


class Steps:
    """Reads the plain progress of a build, line by line.

    Args:
        service: whose image it is.
        args: its build arguments; their values are not shown.
        say: told the steps.
    """

    def __init__(self, service: str, args: Mapping[str, str], say: Say) -> None:
        self._service = service
        self._values = sorted(
            ((v, k) for k, v in args.items() if len(v) >= SECRET), key=lambda one: -len(one[0])
        )
        self._say = say
        self._names: dict[str, str] = {}
        self._next: dict[str, float] = {}
        self._open: tuple[str, float] | None = None  # the older builder's step, and since when

    def heard(self, line: str, now: float) -> None:
        """Take in a line.

        Args:
            line: what the builder said.
            now: seconds on any clock that does not go back.
        """
        if (named := _NAMED.match(line)) is not None:
            self._names[named[1]] = f"{named[2]} {named[3]}"
        elif (done := _DONE.match(line)) is not None:
            self._end(self._names.pop(done[1], ""), float(done[2]))
        elif (cached := _CACHED.match(line)) is not None:
            self._names.pop(cached[1], None)
        elif (said := _SAID.match(line)) is not None:
            self._goes_on(said[1], float(said[2]))
        else:
            self._older(line, now)

    def _older(self, line: str, now: float) -> None:
        if (step := _STEP.match(line)) is not None:
            self._open = f"{step[1]} {step[2]}", now
        elif line.startswith(" ---> Using cache"):
            self._open = None
        elif self._open and (_MADE.match(line) or _END.match(line)):
            name, since = self._open
            self._open = None
            if name.split(" ", 2)[1].upper() in ("RUN", "COPY", "ADD"):
                self._end(name, now - since)

    def _goes_on(self, number: str, seconds: float) -> None:
        name = self._names.get(number)
        due = self._next.get(number, LONG[0])
        if name and seconds >= due:
            self._next[number] = next((at for at in LONG if at > seconds), seconds + LONG[-1])
            self._say(f"{self._service}: {self._shown(name)}  for {seconds:.0f} s so far")

    def _end(self, name: str, seconds: float) -> None:
        # An image that is here already is no work.
        if name and not (name.split(" ")[1] == "FROM" and seconds < 1.0):
            self._say(f"{self._service}: {self._shown(name)}  {seconds:.1f} s")

    def _shown(self, name: str) -> str:
        for value, variable in self._values:
            name = name.replace(value, f"${variable}")
        name = " ".join(name.split())
        return name if len(name) <= WIDTH else f"{name[: WIDTH - 3]}..."
