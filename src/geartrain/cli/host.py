"""`gear host`: the folder of state that runs apps."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from geartrain.cli import options
from geartrain.cli.output import as_json as print_json
from geartrain.errors import Exit, GearError
from geartrain.server import engines, halting
from geartrain.server import host as hosts
from geartrain.server.host import EngineKind, ServerHost
from geartrain.server.secrets import host_key


@click.group()
def host() -> None:
    """A host that takes pushes."""


@host.command("init")
@click.option(
    "--engine",
    type=click.Choice([kind.value for kind in EngineKind]),
    help="What runs the apps; default docker where it answers, else embedded.",
)
@options.host_dir
@options.json
def host_init(engine: str | None, host_dir: Path | None, as_json: bool) -> None:
    """Make a host here: a folder of state for this user, or for this machine as root.

    Asks nothing, and changes nothing when it is there already.

    \b
    Examples:
      gear host init
      gear host init --engine embedded --host-dir ~/apps
    """
    folder = hosts.place(host_dir, os.environ)
    known = (folder / hosts.FILE).exists()
    if engine is None:
        kind = ServerHost(folder).facts.engine if known else engines.default()
    else:
        kind = EngineKind(engine)
    new = hosts.create(folder, kind)
    key = host_key.public(folder)
    if as_json:
        print_json({"folder": str(folder), "engine": kind, "new": new, "key": key})
        return
    click.echo(f"{'made a host' if new else 'a host is there'} in {folder} ({kind} engine)")
    click.echo(f"secrets are encrypted to {key} (`gear host key`)")
    click.echo("next: gear app create NAME")


@host.command("key")
@options.host_dir
@options.json
def key(host_dir: Path | None, as_json: bool) -> None:
    """Print the public key that an app's secrets are encrypted to for this host.

    \b
    Examples:
      gear host key
      gear -H gear@203.0.113.7 host key
    """
    found = host_key.public(ServerHost(hosts.place(host_dir, os.environ)).folder)
    if as_json:
        print_json({"key": found})
    else:
        click.echo(found)


@host.command("stop")
@options.host_dir
def host_stop(host_dir: Path | None) -> None:
    """Stop every app in order, before the machine goes down. Nothing is written down.

    `gear converge --all` starts them again, as systemd has it do at boot.

    \b
    Examples:
      gear host stop
    """
    done = halting.halt(ServerHost(hosts.place(host_dir, os.environ)))
    click.echo(f"stopped {done}")


@host.command("watch")
@options.host_dir
def host_watch(host_dir: Path | None) -> None:
    """Restart what hangs, bring back what is gone, start jobs when they are due. Does not end.

    For hosts with Docker. A prepared server has systemd run it, as geartrain-watch.service.

    \b
    Examples:
      gear host watch
      journalctl GEAR_EVENT=restarted
    """
    folder = ServerHost(hosts.place(host_dir, os.environ)).folder
    isolated = ["-I"] if sys.flags.isolated else []
    words = [sys.executable, *isolated, "-m", "geartrain.server.watch", str(folder)]
    try:
        os.execv(words[0], words)  # noqa: S606  # without the command line it stays small
    except OSError as error:
        raise GearError(f"{words[0]}: {error.strerror}", code=Exit.NO_COMMAND) from error
