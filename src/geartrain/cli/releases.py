"""`gear releases` and `gear show`: what the history tells, and nothing else is asked."""

from __future__ import annotations

import sys

import click
import msgspec

from geartrain.cli import options
from geartrain.cli.output import as_json as print_json
from geartrain.cli.output import columns, paint
from geartrain.cli.place import Place
from geartrain.errors import GearError
from geartrain.release.events import Event, What

HEAD = ("RELEASE", "WHAT", "WHEN", "BY", "SECONDS", "COMMIT", "")
COLOURS = {What.LIVE: "green", What.FAILED: "red", What.ROLLED_BACK: "yellow",
           What.RESTARTED: "yellow"}  # fmt: skip


@click.command()
@click.option("-n", "--most", type=click.IntRange(1), default=20, show_default=True,
              help="How many to show.")  # fmt: skip
@options.place
@options.json
def releases(most: int, found: Place, as_json: bool) -> None:
    """Show what happened to the app, the newest first.

    \b
    Examples:
      gear releases
      gear releases --app shop --json | jq '.events[0]'
    """
    ledger = found.ledger()
    events, desired = ledger.events()[:most], ledger.desired()
    if as_json:
        print_json(
            {
                "app": found.name,
                "live": desired.live,
                "stopped": desired.stopped,
                "replicas": desired.replicas,
                "events": [msgspec.to_builtins(one) for one in events],
            }
        )
        return
    rows = [_row(one, desired.live) for one in events]
    for line in columns(rows, HEAD):
        click.echo(line)


def _row(one: Event, live: int | None) -> tuple[str, ...]:
    number = "" if one.release is None else str(one.release)
    mark = " *" if one.release == live and one.what in (What.LIVE, What.ROLLED_BACK) else ""
    seconds = "" if one.seconds is None else f"{one.seconds:.2f}"
    said = one.why or (one.commits[0].partition(" ")[2] if one.commits else "")
    if one.what is What.RESTARTED:
        said = f"{one.instance}: {said}"
    if one.what is What.SCALED:
        said = one.title.partition(": ")[2]
    return (number + mark, one.what, one.at, one.by, seconds, one.commit[:12], said[:60])


@click.command()
@click.argument("number", type=click.IntRange(1), required=False)
@options.place
@options.json
def show(number: int | None, found: Place, as_json: bool) -> None:
    """Show a release: commits, changes of the configuration, images, who, and how long it took.

    NUMBER defaults to the live one.

    \b
    Examples:
      gear show
      gear show 42
    """
    ledger = found.ledger()
    wanted = number if number is not None else ledger.desired().live
    events = [one for one in ledger.events() if one.release == wanted]
    if wanted is None or not events:
        named = f"release {number}" if number else "a live release"
        raise GearError(f"the history knows nothing of {named}", remedy="gear releases")
    if as_json:
        plain = [msgspec.to_builtins(one) for one in events]
        print_json({"app": found.name, "release": wanted, "events": plain})
        return
    # What made it tells most of it; what befell it later follows.
    for one in reversed(events):
        _print(one)


def _print(one: Event) -> None:
    colour = COLOURS.get(one.what, "cyan")
    click.echo(paint(one.title, colour, sys.stdout, bold=True))
    after = f", after {one.seconds:.2f} s" if one.seconds is not None else ""
    click.echo(f"  {one.at}, by {one.by or 'nobody'} ({one.via or 'unknown'}){after}")
    for title, lines in (
        ("why", (one.why,) if one.why else ()),
        ("commit", (one.commit,) if one.commit else ()),
        ("since", (one.since,) if one.since else ()),
        ("commits", one.commits),
        ("configuration", one.changes),
        ("images", tuple(f"{name}: {image}" for name, image in one.images.items())),
        ("copies", tuple(f"{name}={count}" for name, count in one.replicas.items())),
        ("release commands", one.migrated),
        ("steps", tuple(f"{t.seconds:7.2f} s  {t.step}" for t in one.steps)),
    ):
        if len(lines) == 1 and title not in ("steps", "commits"):
            click.echo(f"  {title}: {lines[0]}")
        elif lines:
            click.echo(f"  {title}:")
            for line in lines:
                click.echo(f"    {line}")
