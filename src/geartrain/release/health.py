"""How a live release is: what of it does not run as it should."""

from __future__ import annotations

from geartrain.app.model import Role
from geartrain.app.release import Release, instances
from geartrain.engine.protocol import Observed


def troubles(live: Release, observed: Observed) -> tuple[str, ...]:
    """What is wrong, a few words each; nothing when all is well.

    Args:
        live: the live release, with as many copies as are wanted.
        observed: what the engine sees.
    """
    found = []
    for service in live.app.services.values():
        if service.role is Role.EDGE:
            continue
        for wanted in instances(live, service):
            seen = observed.find(wanted)
            if seen is None:
                found.append(f"{wanted.name} does not run")
            elif not seen.fine:
                found.append(f"{wanted.name} {seen.note or f'is {seen.state}'}")
    if observed.routed != live.number:
        other = "nothing" if observed.routed is None else f"release {observed.routed}"
        found.append(f"the edge serves {other}")
    return tuple(found)
