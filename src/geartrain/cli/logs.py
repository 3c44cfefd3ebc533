"""`gear logs`: the lines of all services, merged by time."""

from __future__ import annotations

import contextlib
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from geartrain.cli import options, place
from geartrain.cli.output import paint, service_colour
from geartrain.cli.place import Place

_SINCE = re.compile(r"(\d+)(s|m|h|d)")
NO_SERVICE = ("access", "supervisor")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@click.command()
@click.argument("services", nargs=-1)
@click.option("-f", "--follow", "following", is_flag=True, help="Go on with new lines.")
@click.option("--since", default="", help="Only lines since a time ago (10m, 2h) or RFC 3339 time.")
@click.option("-n", "--tail", type=int, default=0, help="Only the last N lines of each service.")
@click.option("--release", type=int, help="Only lines of instances of this release.")
@click.option("--events", is_flag=True, help="What Geartrain did to the app instead.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line.")
@options.place
def logs(
    services: tuple[str, ...],
    following: bool,
    since: str,
    tail: int,
    release: int | None,
    events: bool,
    as_json: bool,
    found: Place,
) -> None:
    """Show log lines of all services, or of SERVICES.

    \b
    Examples:
      gear logs                     everything that is kept
      gear logs -f backend          follow one service
      gear logs --since 10m edge    the last ten minutes of nginx's errors
      gear logs --events            releases, failures, restarts
    """
    start = _start(since)
    colours: dict[str, str] = {}
    if events and (services or following):
        raise click.UsageError("--events goes with neither SERVICES nor --follow.")
    if events:
        for line in _events(found, start, tail, release):
            _print(line, colours, as_json=as_json)
    elif found.docker:
        from geartrain.cli import containers

        containers.logs(
            found.docker, services, start, tail, following=following,
            wanted=lambda line: _of(release, line),
            show=lambda line: _print(line, colours, as_json=as_json),
        )  # fmt: skip
    else:
        lines = _of_files(found, services, start, tail, following=following)
        with contextlib.suppress(KeyboardInterrupt):
            for line in lines:
                if _of(release, line):
                    _print(line, colours, as_json=as_json)


def _of_files(
    found: Place, services: Sequence[str], start: str, tail: int, *, following: bool
) -> Iterator[str]:
    """What the embedded engine's instances say: lines that are kept, and those that come."""
    folder = found.home.logs
    names = services or tuple(sorted(p.name.removesuffix(".log") for p in folder.glob("*.log")
                                     if p.stem not in NO_SERVICE))  # fmt: skip
    for name in services:
        if not (folder / f"{name}.log").exists():
            raise place.no_service(name, (p.stem for p in folder.glob("*.log")))
    stream = _live(found) if following else ()
    yield from _kept(folder, names, start, tail)
    for service, line in stream:
        if not services or service in services:
            yield line


def _events(found: Place, start: str, tail: int, release: int | None) -> list[str]:
    """What the history tells, as lines, the oldest first."""
    lines = [
        f"{one.at} gear {one.title}" + (f": {' '.join(one.why.split())}" if one.why else "")
        for one in reversed(found.ledger().events())
        if one.at >= start and release in (None, one.release)
    ]
    return lines[-tail:] if tail else lines


def follow(found: Place, services: Sequence[str]) -> None:
    """Print new lines until the supervisor ends."""
    colours: dict[str, str] = {}
    for service, line in _live(found):
        if not services or service in services:
            _print(line, colours, as_json=False)


def said_by(folder: Path, release: int) -> list[str]:
    """What a release's instances said, with their names, as far as it is kept."""
    names = [path.stem for path in folder.glob("*.log") if path.stem not in NO_SERVICE]
    lines = [line for line in _kept(folder, names, "", 0) if _of(release, line)]
    return [" | ".join(line.split(" ", 2)[1:]) for line in lines]


def _live(found: Place) -> Iterator[tuple[str, str]]:
    return place.running(found).follow()


def _of(release: int | None, line: str) -> bool:
    """Whether a line is an instance's of that release: `web.7.1` after its time."""
    return release is None or line.split(" ", 2)[1].rsplit(".", 2)[1:2] == [str(release)]


def _start(since: str) -> str:
    if not since:
        return ""
    if match := _SINCE.fullmatch(since):
        then = time.time() - int(match[1]) * _SECONDS[match[2]]
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(then))
    if re.match(r"\d{4}-\d\d-\d\d", since):
        return since.replace(" ", "T")
    raise click.BadParameter(f"{since!r} is neither like 10m nor like 2026-01-31T12:00:00Z",
                             param_hint="--since")  # fmt: skip


def _kept(folder: Path, services: Iterable[str], start: str, tail: int) -> list[str]:
    found: list[str] = []
    for service in services:
        lines: list[str] = []
        rotated = sorted(folder.glob(f"{service}.log.*"), key=lambda p: -int(p.suffix[1:]))
        for path in (*rotated, folder / f"{service}.log"):
            with contextlib.suppress(FileNotFoundError):  # it may be moved aside meanwhile
                # Not splitlines: a program's form feed or U+2028 ends no line.
                lines += filter(None, path.read_bytes().decode(errors="replace").split("\n"))
        if start:
            lines = [line for line in lines if line >= start]
        found += lines[-tail:] if tail else lines
    return sorted(found, key=lambda line: line.partition(" ")[0])


def _print(line: str, colours: dict[str, str], *, as_json: bool) -> None:
    stamp, _, rest = line.partition(" ")
    name, _, text = rest.partition(" ")
    if as_json:
        import json

        click.echo(json.dumps({"time": stamp, "instance": name, "text": text}))
        return
    colour = service_colour(name.partition(".")[0], colours)
    click.echo(f"{paint(f'{name:<14} |', colour, sys.stdout)} {text}")
