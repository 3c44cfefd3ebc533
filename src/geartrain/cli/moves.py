"""`gear rollback`, `scale`, `converge` and `destroy`."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import click

from geartrain.cli import caller, options, place
from geartrain.cli.output import as_json as print_json
from geartrain.cli.output import note
from geartrain.cli.place import Place
from geartrain.cli.progress import Progress
from geartrain.errors import Exit, GearError, InvalidError
from geartrain.release import moves
from geartrain.release import rollback as back
from geartrain.release.deploy import Cause, Result
from geartrain.release.history import Desired
from geartrain.server import app as apps
from geartrain.server import branch, checks, detached, halting, jobs, monitor, repository
from geartrain.server import host as hosts
from geartrain.server.app import ServerApp
from geartrain.server.watched import Pushed


@click.command()
@click.argument("number", type=click.IntRange(1), required=False)
@click.option("--yes", is_flag=True, help="Also when release commands ran since.")
@options.place
@options.json
def rollback(number: int | None, yes: bool, found: Place, as_json: bool) -> None:
    """Make an earlier release live again. Nothing is built, no release command runs.

    NUMBER defaults to the release that was live before.

    \b
    Examples:
      gear rollback
      gear rollback 41 --yes
    """
    with found.home.lock("`gear rollback`", note):
        ledger = found.ledger()
        desired = _followed(found)
        to = back.choose(ledger, desired, number)
        ran = back.migrations_since(ledger.events(), to.number)
        if ran and not yes:
            raise GearError(
                f"release commands ran since release {to.number} was live: {', '.join(ran)}",
                remedy=f"`gear rollback {to.number} --yes` if the older code can use the"
                " database as it is now; they are not undone",
            )
        engine = found.engine(to.number)
        done = moves.roll_back(to, engine, ledger, desired, _cause("gear rollback"), Progress())
        _followed(found)
        if found.app is not None:
            jobs.attend(found.app)
    _tell(found, done, as_json=as_json)


@click.command()
@click.argument("assignments", nargs=-1, metavar="SERVICE=COPIES...")
@options.place
@options.json
def scale(assignments: tuple[str, ...], found: Place, as_json: bool) -> None:
    """Run another number of copies of a service, from now on and in every later release.

    SERVICE=file goes back to what the Compose file says. Without arguments it
    shows what was asked for.

    \b
    Examples:
      gear scale web=4
      gear scale web=file
    """
    wanted = {}
    for assignment in assignments:
        name, _, count = assignment.partition("=")
        if count != "file" and not (count.isascii() and count.isdigit()):
            raise InvalidError(f"{assignment!r} is not like web=4, nor web=file")
        wanted[name] = None if count == "file" else int(count)
    with found.home.lock("`gear scale`", note):
        ledger = found.ledger()
        desired = _followed(found)
        if not wanted:
            print_json(desired.replicas) if as_json else click.echo(
                "\n".join(f"{name}={count}" for name, count in desired.replicas.items())
                or "every service has as many copies as the Compose file says"
            )
            return
        engine = found.engine(desired.live)
        done = moves.scale(wanted, engine, ledger, desired, _cause("gear scale"), Progress())
    _tell(found, done, as_json=as_json)


@click.command()
@click.option("--all", "every", is_flag=True, help="All apps of the host that were not stopped.")
@options.project
@options.app_name
@options.host_dir
@options.json
def converge(
    every: bool, project: Path, app_name: str | None, host_dir: Path | None, as_json: bool
) -> int:
    """Have run what should run, and nothing else: what the history calls live.

    After a crash or a reboot. A second run does nothing.

    \b
    Examples:
      gear converge
      gear converge --all
    """
    if every:
        host = hosts.ServerHost(hosts.place(host_dir, os.environ))
        halting.resume(host)
        chosen = [place.placed(ServerApp(host, name)) for name in host.names()]
    else:
        chosen = [place.find(project, app_name, host_dir)]
    rows = []
    failed = 0
    for found in chosen:
        try:
            rows.append(_converge(found, every=every))
        except GearError as error:
            if not every:
                raise
            note(f"{found.name}: {error}")
            rows.append({"app": found.name, "error": error.what})
            failed += 1
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            if "error" not in row:
                said = "stopped" if row["stopped"] else f"release {row['live']} is live"
                done = "" if row["steps"] else ", nothing to do"
                click.echo(f"{row['app']}: {said}{done}")
    return int(Exit.FAILED) if failed else 0


def _converge(found: Place, *, every: bool) -> dict[str, object]:
    done = _bring_about(found, every=every)
    app, live = found.app, done["live"]
    if app is not None:
        jobs.attend(app)
    if app is not None and isinstance(live, int):
        ledger = found.ledger()
        if monitor.left(ledger.events(), live, time.time()):
            # Whoever watched it may have been killed; two take turns.
            known = monitor.restarts(found.engine(live).observe())
            detached.leave(lambda: monitor.watch(Pushed(app), live, known))
    return done


def _bring_about(found: Place, *, every: bool) -> dict[str, object]:
    with found.home.lock("`gear converge`", note):
        if found.app is not None:
            app = found.app
            repository.write_hook(app.repository, app.host.folder, app.name)
            shutil.rmtree(app.incoming, ignore_errors=True)
            checks.end_killed(app)
        ledger = found.ledger()
        desired = _followed(found)
        if desired.stopped and every:
            return {"app": found.name, "live": desired.live, "stopped": True, "steps": []}
        engine = found.engine(desired.live)
        done = moves.converge(engine, ledger, desired, Progress(), _cause("gear converge"))
        steps = [str(step) for step in done.steps] if done else []
        return {"app": found.name, "live": desired.live, "stopped": False, "steps": steps}


@click.command()
@click.argument("name")
@click.option("--data", is_flag=True, help="Delete its data too, last.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.host_dir
@options.json
def destroy(name: str, data: bool, yes: bool, host_dir: Path | None, as_json: bool) -> None:
    """Stop an app of this host and delete it, with its repository and its history.

    Its data stays, and an app of that name finds it again, unless --data.

    \b
    Examples:
      gear destroy shop
      gear destroy shop --data
    """
    app = ServerApp(hosts.ServerHost(hosts.place(host_dir, os.environ)), name)
    if not yes:
        what = "and all its data" if data else "but not its data"
        typed = click.prompt(f"This deletes the app {name}, {what}. Type its name to go on")
        if typed != name:
            raise click.Abort
    home = app.home()
    with home.lock("`gear destroy`", note):
        engine = app.engine(home)
        engine.down()
        if data:
            engine.erase()
        apps.forget(app)
        jobs.end(app)
    with app.watching(), home.lock("`gear destroy`", note):  # whoever watches it sees it first
        apps.delete(app, data=data)
    if as_json:
        print_json({"app": name, "data": data})
    else:
        kept = "" if data else "; its data stays"
        click.echo(f"destroyed {name}{kept}")


def _cause(via: str) -> Cause:
    return Cause(by=caller.name(), via=via)


def _followed(found: Place) -> Desired:
    """The desired state, with the branch at what runs."""
    desired = found.ledger().desired()
    if found.app is not None:
        branch.follow(found.app.repository, found.app.ref, desired)
    return desired


def _tell(found: Place, done: Result, *, as_json: bool) -> None:
    number, steps = done.release.number, [str(step) for step in done.session.steps]
    urls = done.session.engine.urls(done.release)
    if as_json:
        print_json(
            {"app": found.name, "release": number, "changed": done.changed, "urls": urls,
             "seconds": round(done.live_after, 3), "steps": steps}
        )  # fmt: skip
        return
    at = f" at {' and '.join(urls)}" if urls else ""
    click.echo(f"{found.name}: release {number} is live{at} after {done.live_after:.2f} s")
