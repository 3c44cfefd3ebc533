"""Looks at a machine, plans, and carries the plan out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from geartrain.errors import GearError
from geartrain.server.prepare import condition
from geartrain.server.prepare.machine import Machine
from geartrain.server.prepare.payload import Payload
from geartrain.server.prepare.steps import Step, steps
from geartrain.server.prepare.system import System, recognize


class Reporter(Protocol):
    """Shows a step at work; times in seconds."""

    def begin(self, step: object) -> None: ...  # noqa: D102
    def end(self, step: object, seconds: float) -> None: ...  # noqa: D102
    def fail(self, step: object, seconds: float) -> None: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True, slots=True)
class Todo:
    """A step, and what it has to do; "" for one that is done."""

    step: Step
    lacking: str

    def __str__(self) -> str:
        return f"{self.step.title}: {self.lacking or 'done'}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a machine is, and what it lacks."""

    system: System
    version: str
    todos: Sequence[Todo]

    @property
    def open(self) -> list[Todo]:
        """Those with something to do."""
        return [one for one in self.todos if one.lacking]


def look(machine: Machine) -> Plan:
    """Find out what a machine lacks. Nothing is changed.

    Args:
        machine: the machine, as root.

    Raises:
        GearError: it cannot be prepared.
    """
    system = recognize(machine.read(PurePosixPath("/etc/os-release")) or "")
    condition.see(machine)
    payload = Payload()
    todos = [Todo(step=step, lacking=step.lacking(machine)) for step in steps(system, payload)]
    return Plan(system=system, version=payload.version, todos=todos)


def carry_out(machine: Machine, plan: Plan, reporter: Reporter) -> None:
    """Do what is open, and see each step done.

    What an earlier step has changed may give a later one something to do.

    Args:
        machine: the machine, as root.
        plan: what `look` found.
        reporter: shows progress.

    Raises:
        GearError: a step failed; those before it stay done.
    """
    for planned in plan.todos:
        lacking = planned.lacking or planned.step.lacking(machine)
        if not lacking:
            continue
        one = Todo(step=planned.step, lacking=lacking)
        began = time.monotonic()
        reporter.begin(one)
        try:
            _do(machine, one.step)
        except BaseException:
            reporter.fail(one, time.monotonic() - began)
            raise
        reporter.end(one, time.monotonic() - began)


def _do(machine: Machine, step: Step) -> None:
    step.do(machine)
    if left := step.lacking(machine):
        raise GearError(
            f"{step.title}: it was done, and still has to {left}",
            where=machine.name,
            remedy="see `journalctl -b -p warning` there, then run the same again",
        )
