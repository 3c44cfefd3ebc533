"""One release of a working tree: plan, apply with progress, record, show."""

from __future__ import annotations

import getpass
import sys
from typing import Any

import click

from geartrain.cli.after_up import asked
from geartrain.cli.output import note, paint
from geartrain.cli.progress import Progress
from geartrain.cli.ps import table
from geartrain.cli.session import prepare
from geartrain.engine.embedded.host import Host
from geartrain.engine.protocol import shown
from geartrain.load import Loaded
from geartrain.release.deploy import Cause, Result, deploy


def plain(result: Result) -> dict[str, Any]:
    """What came of it, as JSON values."""
    engine = result.session.engine
    return {
        "app": result.release.app.name,
        "release": result.release.number,
        "changed": result.changed,
        "seconds": round(result.live_after, 3),
        "urls": engine.urls(result.release),
        "notices": result.session.notices,
        "steps": [str(step) for step in result.session.steps],
        "instances": [shown(one) for one in engine.observe().instances],
    }


def release(host: Host, loaded: Loaded, began: float) -> tuple[Result, dict[str, int]]:
    """Bring the host to what was loaded. The caller holds the host's lock.

    Args:
        host: the host.
        loaded: the Compose file as it is now.
        began: when the command started (`time.monotonic`).

    Returns:
        What came of it, and restarts of the instances at the switch.

    Raises:
        GearError: it failed; the release before is as it was.
    """
    now, source = prepare(host, loaded)
    if now.steps and now.new:
        say_notices(now.notices)
    cause = Cause(by=getpass.getuser(), via="gear up", monitor=0.0)
    known: dict[str, int] = {}

    def on_live(_: float) -> None:
        if asked(now.release):
            from geartrain.server.monitor import restarts

            known.update(restarts(now.engine.observe()))

    return deploy(now, source, cause, Progress(), began, on_live=on_live), known


def say_notices(notices: tuple[str, ...]) -> None:
    """What a person should know once about a new release."""
    for notice in notices:
        note(f"  {paint('·', 'yellow', sys.stderr)} {notice}")


def show(result: Result, *, moved: bool) -> None:
    """Tell a person where everything is, and what to try next."""
    engine = result.session.engine
    for line in table([shown(one) for one in engine.observe().instances]):
        click.echo(line)
    click.echo()
    name, number = result.release.app.name, result.release.number
    if not result.changed and not moved:
        click.echo(f"nothing to do: release {number} is live")
    urls = " and ".join(engine.urls(result.release))
    after = f" after {result.live_after:.2f} s" if result.changed else ""
    text = f"{name} is live at {urls}{after}" if urls else f"{name} runs{after}"
    click.echo(paint(text, "green", sys.stdout, bold=True))
    click.echo("next: gear ps · gear logs -f · gear db shell · gear down")
