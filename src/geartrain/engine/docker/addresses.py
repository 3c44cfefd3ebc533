"""The fixed addresses of instances on a network, kept in a file beside what uses them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from geartrain import durable
from geartrain.app.release import InstanceId
from geartrain.engine.docker.networks import Network


class _Kept(msgspec.Struct):
    subnet: str
    numbers: dict[str, int]


def decide(file: Path, network: Network, ids: Sequence[InstanceId]) -> dict[InstanceId, str]:
    """The address of each instance; one that has its own keeps it.

    Args:
        file: where they are kept.
        network: what they are on.
        ids: the instances, also those that run no more.
    """
    kept = msgspec.json.decode(file.read_bytes(), type=_Kept) if file.exists() else None
    numbers = kept.numbers if kept and kept.subnet == str(network.subnet) else {}
    wanted = dict(numbers)
    for one in ids:
        if one.name not in wanted:
            wanted[one.name] = max(wanted.values(), default=-1) + 1
    if kept is None or wanted != numbers or kept.subnet != str(network.subnet):
        durable.write(file, msgspec.json.encode(_Kept(str(network.subnet), wanted)))
    return {one: network.address(wanted[one.name]) for one in ids}
