"""How a version of a service behaves once it is started."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from geartrain.engine.protocol import Instance, State


@dataclass(frozen=True, kw_only=True, slots=True)
class Healthy:
    """It gets ready; a one-shot ends with 0."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exits:
    """It ends before it is ready."""

    code: int = 1
    tail: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class NeverAnswers:
    """It runs, and never gets ready; waiting for it ends at a bound."""

    reason: str = "no answer within 30 s"
    tail: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Exclusive:
    """It gets ready, but no second exclusive copy of the service can run beside it."""

    why: str = "it listens on 0.0.0.0:8080, which only one can"


Behaviour = Healthy | Exits | NeverAnswers | Exclusive


def settled(
    seen: Instance, how: Behaviour, others: Sequence[Instance], *, one_shot: bool
) -> Instance:
    """What becomes of an instance that was started.

    Args:
        seen: it, while it starts.
        how: its behaviour.
        others: everything that runs beside it.
        one_shot: it runs to completion.
    """
    match how:
        case NeverAnswers():
            return seen
        case Exits(code=code):
            state = State.EXITED if one_shot and not code else State.FAILED
            return replace(seen, state=state, code=code, note=f"ended with exit code {code}")
        case Exclusive(why=why):
            for other in others:
                same = other.id.service == seen.id.service and other.id != seen.id
                if same and other.exclusive:
                    note = f"ended with exit code 98 beside {other.id.name}"
                    return replace(seen, state=State.FAILED, code=98, note=note)
            return replace(seen, state=State.READY, exclusive=why)
        case Healthy():
            if one_shot:
                return replace(seen, state=State.EXITED, code=0)
            return replace(seen, state=State.READY)
