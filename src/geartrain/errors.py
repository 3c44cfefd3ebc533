"""What a user is told when something fails: what, where, why, and what to do next.

Every failure that a user can cause or mend is a `GearError`. One handler in
`geartrain.cli` prints it; a traceback means a bug in Geartrain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of `gear`, stable so that scripts can tell failures apart."""

    OK = 0
    FAILED = 1  # what was asked did not work: a release, a build, a command
    USAGE = 2  # the command line itself is wrong (click's own code)
    INVALID = 3  # the Compose file, or something it names, is wrong
    MISSING = 4  # this machine lacks something
    BUSY = 5  # somebody else holds the host
    NO_COMMAND = 127  # `exec` and `run`: the command cannot be started, as shells say it


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing that is wrong, with the place to look at and the way out.

    `where` reads like `docker-compose.yml:12 services.web.x-gear.port`.
    """

    what: str
    where: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n    → {self.remedy}" if self.remedy else text


class GearError(Exception):
    """A failure that the user can understand and mend.

    Args:
        what: one sentence, no trailing full stop.
        where: file, line, key or instance it is about.
        remedy: what to do next.
        code: the process's exit code.
        problems: further findings of the same check, all told at once.
        tail: last log lines of the thing that died, oldest first.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        remedy: str = "",
        code: Exit = Exit.FAILED,
        problems: Sequence[Problem] = (),
        tail: Sequence[str] = (),
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy
        self.code = code
        self.problems = tuple(problems)
        self.tail = tuple(tail)

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        lines = [head, *(f"  {problem}" for problem in self.problems)]
        if self.tail:
            lines += ["  last log lines:", *(f"    {line}" for line in self.tail)]
        if self.remedy:
            lines.append(f"  → {self.remedy}")
        return "\n".join(lines)


class InvalidError(GearError):
    """The Compose file, or something it names, is wrong; nothing was changed."""

    def __init__(self, what: str, **rest: object) -> None:
        rest.setdefault("code", Exit.INVALID)
        super().__init__(what, **rest)  # type: ignore[arg-type]  # same keywords as GearError
