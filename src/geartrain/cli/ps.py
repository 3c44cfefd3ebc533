"""`gear ps`: what runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import click

from geartrain.cli import options, place
from geartrain.cli.output import STATE_COLOURS, ago, columns, paint
from geartrain.cli.output import as_json as print_json
from geartrain.cli.place import Place

HEAD = ("SERVICE", "INSTANCE", "STATE", "ADDRESS", "VERSION", "SINCE", "NOTE")


def table(instances: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines that show instances: the edge first, then what serves, then the data."""
    order = ("edge", "web", "worker", "job", "other", "cache", "database")
    rows = []
    for one in sorted(instances, key=lambda o: (order.index(o["role"]), o["name"])):
        restarts = f"{one['restarts']} restarts" if one["restarts"] else ""
        note = "; ".join(part for part in (one["note"], restarts) if part)
        where = f"{one['address']}:{one['port']}" if one["port"] else one["address"]
        rows.append(
            (one["service"], one["name"], one["state"], where, one["version"],
             ago(time.time() - one["since"]) if one["since"] else "", note)
        )  # fmt: skip
    lines = columns(rows, HEAD)
    at = lines[0].index("STATE")  # a service may be called `ready` too
    return [lines[0], *(_paint(line, at, r[2]) for line, r in zip(lines[1:], rows, strict=True))]


def _paint(line: str, at: int, state: str) -> str:
    painted = paint(state, STATE_COLOURS.get(state, "white"), sys.stdout)
    return line[:at] + painted + line[at + len(state) :]


@click.command()
@options.place
@options.json
def ps(found: Place, as_json: bool) -> int:
    """Show the edge, every instance and the data services.

    Exits with 1 when something is not as it should be.

    \b
    Examples:
      gear ps
      gear ps --json | jq '.instances[] | select(.state != "ready")'
    """
    if found.docker:
        from geartrain.cli import containers

        return containers.ps(found, as_json=as_json)
    with place.running(found) as client:
        seen = client.ask("observe")
    if as_json:
        print_json(seen)
    else:
        for line in table(seen["instances"]):
            click.echo(line)
    fine = ("ready", "scheduled", "exited", "stopping")
    return 0 if all(one["state"] in fine for one in seen["instances"]) else 1
