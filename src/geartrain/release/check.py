"""A new version's own tests, on data services that live for nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from geartrain.app.policy import command_words
from geartrain.app.release import Release
from geartrain.engine.protocol import Engine, Outcome, Say
from geartrain.errors import GearError


def check(engine: Engine, release: Release, names: Sequence[str], say: Say) -> list[Outcome]:
    """Run the check commands of some services, after the release commands of all.

    Args:
        engine: that of the throwaway home; whoever calls deletes it.
        release: the new version.
        names: services that have a check command.
        say: told what is going on.

    Returns:
        How each went, in order.

    Raises:
        GearError: it did not come as far as that.
    """
    app = release.app
    engine.build(release, say)
    for service in app.data_services:
        engine.ensure_data(release, service, say)
    for service in app.services.values():
        if service.gear.release:
            done = engine.migrate(release, service)
            if not done.ok:
                raise GearError(
                    f"the release command of {service.name} failed on an empty database:"
                    f" {done.reason}",
                    tail=done.tail,
                )
    chosen = (app.services[name] for name in names)
    return [engine.run(release, one, command_words(one.gear.check or [])) for one in chosen]
