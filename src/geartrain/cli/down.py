"""`gear down`: stop everything."""

from __future__ import annotations

from pathlib import Path

import click

from geartrain.cli import caller, options, place, trouble
from geartrain.cli.output import as_json as print_json
from geartrain.cli.output import note
from geartrain.cli.place import Place
from geartrain.engine.embedded.host import Host
from geartrain.release import moves
from geartrain.release.deploy import Cause
from geartrain.server import jobs


@click.command()
@options.folder
@click.option("-v", "--volumes", is_flag=True, help="Delete the data too. Asks for the name.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.app_name
@options.host_dir
@options.json
def down(
    folder: Path,
    volumes: bool,
    yes: bool,
    app_name: str | None,
    host_dir: Path | None,
    as_json: bool,
) -> None:
    """Stop the app of FOLDER: the edge first, the data services last. Data stays.

    An app of a host stays stopped, also after a reboot, until the next push or
    `gear converge`.

    \b
    Examples:
      gear down                stop
      gear down --volumes      stop, and delete all data after asking
    """
    found = place.find(folder, app_name, host_dir)
    trouble.tell(found)
    if volumes and found.app is not None:
        raise click.UsageError("the data of a host's app goes with `gear destroy --data`")
    if volumes and not yes:
        typed = click.prompt(f"This deletes all data of {found.name}. Type its name to go on")
        if typed != found.name:
            raise click.Abort
    with found.home.lock("`gear down`", note):
        ran = _stop(found)
        if as_json:
            print_json({"app": found.name, "ran": ran})
        elif ran:
            note(f"{found.name} is stopped; its data is in {found.home.folder / 'data'}")
        else:
            note("nothing runs here")
        if volumes and isinstance(found.home, Host):
            _delete(found.home)


def _stop(found: Place) -> bool:
    engine = found.engine()
    if found.app is None:
        return engine.down()
    ledger = found.ledger()
    cause = Cause(by=caller.name(), via="gear down")
    ran = moves.stop(engine, ledger, ledger.desired(), cause)
    jobs.attend(found.app)
    return ran


def _delete(host: Host) -> None:
    real = host.data.resolve()
    host.erase()
    if host.data.is_symlink():  # outside of the project nobody would look for what is left
        host.data.unlink()
        real.rmdir()
    note(f"deleted the data in {real}")
