"""`gear restart`."""

from __future__ import annotations

import click

from geartrain.cli import options, place
from geartrain.cli.output import note
from geartrain.cli.place import Place
from geartrain.errors import GearError


@click.command()
@options.services()
@options.place
def restart(services: tuple[str, ...], found: Place) -> None:
    """Restart the instances of SERVICES (default: all but the data services), one by one.

    To release a change use `gear up`: it loses no request, a restart may.

    \b
    Examples:
      gear restart
      gear restart backend worker
    """
    from geartrain.server import by_hand

    with by_hand.restarting(found.home, note):
        _restart(services, found)


def _restart(services: tuple[str, ...], found: Place) -> None:
    if found.docker:
        from geartrain.cli import containers

        containers.restart(found.docker, found, services)
        return
    with place.running(found) as client:
        every = client.ask("observe")["instances"]
        known = {one["service"] for one in every}
        for service in services:
            if service not in known:
                raise place.no_service(service, known)
        chosen = [
            one for one in every
            if (one["service"] in services if services
                else one["role"] in ("web", "worker", "other"))
        ]  # fmt: skip
        for one in chosen:
            client.ask("restart", names=[one["name"]])
            seen = client.ask("ready", names=[one["name"]])["instances"][0]
            if not seen["fine"]:
                raise GearError(
                    f"{one['name']} did not get ready again: {seen['note']}", tail=seen["tail"]
                )
            note(f"{one['name']} is ready again")
