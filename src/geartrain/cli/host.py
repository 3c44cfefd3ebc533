"""`gear host`: the folder of state that runs apps."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from geartrain.cli import options
from geartrain.cli.output import as_json as print_json
from geartrain.cli.output import note
from geartrain.engine import memory
from geartrain.errors import Exit, GearError
from geartrain.server import engines, halting
from geartrain.server import host as hosts
from geartrain.server.host import EngineKind, ServerHost
from geartrain.server.secrets import host_key, old_keys


@click.group()
def host() -> None:
    """A host that takes pushes."""


@host.command("init")
@click.option(
    "--engine",
    type=click.Choice([kind.value for kind in EngineKind]),
    help="What runs the apps; default docker where it answers, else embedded.",
)
@click.option(
    "--runtime",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of a tmpfs for secrets; default /run/geartrain where it is this user's,"
    " else one in /dev/shm.",
)
@options.host_dir
@options.json
def host_init(
    engine: str | None, runtime: Path | None, host_dir: Path | None, as_json: bool
) -> None:
    """Make a host here: a folder of state for this user, or for this machine as root.

    Asks nothing, and changes nothing when it is there already, but for --runtime.

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
    if runtime is not None:
        memory.choose(folder, runtime.absolute())
    key = host_key.public(folder)
    if as_json:
        print_json({"folder": str(folder), "engine": kind, "new": new, "key": key})
        return
    click.echo(f"{'made a host' if new else 'a host is there'} in {folder} ({kind} engine)")
    click.echo(f"secrets are encrypted to {key} (`gear host key`)")
    click.echo("next: gear app create NAME")


@host.command("key")
@click.option("--rotate", is_flag=True, help="Make a new one; those before go on opening.")
@options.host_dir
@options.json
def key(rotate: bool, host_dir: Path | None, as_json: bool) -> None:
    """Print the public key that an app's secrets are encrypted to for this host.

    A new key changes nothing by itself: each repository is to be encrypted to it. What is encrypted
    to a key from before is opened until no kept release needs that key; the push after that
    deletes it.

    \b
    Examples:
      gear host key
      gear -H gear@203.0.113.7 host key
      gear -H gear@203.0.113.7 host key --rotate
    """
    host = ServerHost(hosts.place(host_dir, os.environ))
    if rotate:
        made = host_key.rotate(host.folder)
        note(f"next, in each clone: gear secrets rotate --add host={made}, commit and push")
    found = host_key.public(host.folder)
    before = old_keys.needed(host)
    if as_json:
        print_json({"key": found, "before": before})
        return
    click.echo(found)
    for name, who in before.items():
        needs = f"release{'s' if len(who) > 1 else ''} {', '.join(who)}" if who else "no release"
        note(f"before it: {name}, which {needs} need{'' if len(who) > 1 else 's'}")


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
