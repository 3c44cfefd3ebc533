"""`gear wait`."""

from __future__ import annotations

import click

from geartrain.cli import options, place
from geartrain.cli.place import Place


@click.command()
@options.services(required=True)
@options.place
def wait(services: tuple[str, ...], found: Place) -> int:
    """Wait until every instance of SERVICES has ended; exit with the worst of their codes.

    \b
    Examples:
      gear wait seed && echo seeded
    """
    if found.docker:
        from geartrain.cli import containers

        return containers.wait(found.docker, found, services)
    with place.running(found) as client:
        every = client.ask("observe")["instances"]
        known = {one["service"] for one in every}
        for service in services:
            if service not in known:
                raise place.no_service(service, known)
        names = [one["name"] for one in every if one["service"] in services]
        ended = client.ask("wait", names=names)["instances"]
    for one in ended:
        click.echo(f"{one['name']} {one['state']} {one['code']}")
    codes = [one["code"] or 0 for one in ended]
    return max((128 - code if code < 0 else code) for code in codes)
