"""`gear status`: every app of a host at a glance."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from geartrain.app.release import scaled
from geartrain.cli import options
from geartrain.cli.output import as_json as print_json
from geartrain.cli.output import columns, paint
from geartrain.release import health
from geartrain.release.events import Event, What
from geartrain.server import host as hosts
from geartrain.server import renewal
from geartrain.server.app import ServerApp
from geartrain.server.host import ServerHost

HEAD = ("APP", "LIVE", "STATE", "URL")
COLOURS = {"ok": "green", "trouble": "red"}
DAY = 86400.0  # seconds
SHOWN = 3  # restarts


@dataclass(frozen=True, kw_only=True)
class Seen:
    """An app, as it is now."""

    app: str
    state: str
    live: int | None = None
    urls: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()
    restarts: tuple[str, ...] = ()  # what was restarted in the last day, the newest first


@click.command()
@options.host_dir
@options.json
def status(host_dir: Path | None, as_json: bool) -> int:
    """Show every app of the host: what is live, how it is, and where it answers.

    Exits with 1 when something is not as it should be.

    \b
    Examples:
      gear status
      gear -H gear@203.0.113.7 status
    """
    host = ServerHost(hosts.place(host_dir, os.environ))
    seen = [_of(ServerApp(host, name)) for name in host.names()]
    if as_json:
        print_json([asdict(one) for one in seen])
    else:
        rows = [(one.app, str(one.live or "none"), one.state, " ".join(one.urls)) for one in seen]
        head, *lines = columns(rows, HEAD)
        click.echo(head)
        for line, one in zip(lines, seen, strict=True):
            click.echo(_painted(line, head.index("STATE"), one.state))
            for below in (*one.troubles, *one.restarts[:SHOWN]):
                click.echo(f"  {below}")
            if more := one.restarts[SHOWN:]:
                click.echo(f"  and {len(more)} more restarts: gear releases --app {one.app}")
    return 1 if any(one.state == "trouble" for one in seen) else 0


def _painted(line: str, at: int, state: str) -> str:
    shown = paint(state, COLOURS.get(state, "white"), sys.stdout)
    return line[:at] + shown + line[at + len(state) :]


def _of(app: ServerApp) -> Seen:
    home = app.home()
    ledger = app.ledger(home)
    desired = ledger.desired()
    release = ledger.read(desired.live)
    if release is None:
        return Seen(app=app.name, state="empty")
    if desired.stopped:
        return Seen(app=app.name, live=release.number, state="stopped")
    home.project = home.releases / str(release.number) / "src"
    engine = app.engine(home)
    troubles = (
        *health.troubles(scaled(release, desired.replicas), engine.observe()),
        *renewal.troubles(app, time.time()),
    )
    return Seen(
        app=app.name,
        live=release.number,
        state="trouble" if troubles else "ok",
        urls=engine.urls(release),
        troubles=troubles,
        restarts=_restarts(ledger.events()),
    )


def _restarts(events: Sequence[Event]) -> tuple[str, ...]:
    """What the watcher restarted within a day: it runs again, and somebody may want to know why."""
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - DAY))
    return tuple(
        f"{one.title} at {one.at}: {one.why}"
        for one in events
        if one.what is What.RESTARTED and one.at >= since
    )
