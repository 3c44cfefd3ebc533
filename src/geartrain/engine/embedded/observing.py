"""What a supervisor tells of its processes, as instances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from geartrain.app.model import Role
from geartrain.app.release import InstanceId
from geartrain.engine import nginx
from geartrain.engine.embedded import edge
from geartrain.engine.embedded.host import Host
from geartrain.engine.embedded.unsettled import unsettled
from geartrain.engine.listeners import listeners
from geartrain.engine.protocol import Instance, Observed, State


def instance(host: Host, plain: Mapping[str, object]) -> Instance:
    """One process as the supervisor shows it; a database is ready once it is settled."""
    one = InstanceId(service=plain["service"], release=plain["release"], index=plain["index"])  # type: ignore[arg-type]  # checked when it was written
    fields = {k: v for k, v in plain.items() if k in Instance.__struct_fields__}
    seen = msgspec.convert({**fields, "id": msgspec.structs.asdict(one)}, Instance)
    if seen.role == Role.DATABASE and seen.fine and unsettled(host, one.service):
        return msgspec.structs.replace(seen, state=State.STARTING)
    return seen


def routed(host: Host, seen: Sequence[Instance]) -> int | None:
    """The release that nginx sends requests to, by its own word."""
    if not any(one.id.name == edge.NAME and one.fine for one in seen):
        return None
    number, _, _ = (answer := nginx.generation(edge.admin_address(host))).partition("-")
    if not number.isdigit():
        return None
    wanted = edge.generation(int(number), host.facts)
    # Also the one that nginx would start with: a killed switch may have left another.
    return int(number) if answer == wanted == edge.chosen(host) else None


def exclusive(seen: Observed) -> Observed:
    """Mark the instances beside which no second copy can run.

    They listen on every address of the machine, so a new release's instance
    would find its port taken.
    """
    marked = []
    for one in seen.instances:
        asked = one.pid and one.role not in (Role.EDGE, Role.DATABASE, Role.CACHE)
        wild = next((w for w in listeners(one.pid) if w.wildcard), None) if asked else None
        if wild:
            why = f"{one.id.service} listens on {wild.address}:{wild.port}, which only one can"
            marked.append(msgspec.structs.replace(one, exclusive=why))
        else:
            marked.append(one)
    return msgspec.structs.replace(seen, instances=tuple(marked))


def elsewhere(plain: Mapping[str, object]) -> str:
    """What a process that never answered listens on instead."""
    pid, port = plain["pid"], plain["port"]
    if plain["fine"] or not isinstance(pid, int) or not pid or not port:
        return ""
    found = listeners(pid)
    if not found:
        return "; it listens on no port at all"
    if any(one.port == port for one in found):
        return ""  # it is there, and does not answer as it should
    named = ", ".join(f"{one.address}:{one.port}" for one in found)
    return f"; it listens on {named} (say so with x-gear.port)"
