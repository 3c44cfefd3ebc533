"""`gear keys`: who may push to a host and run `gear` on it, over SSH."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from geartrain.cli import options, ssh
from geartrain.cli.output import as_json as print_json
from geartrain.cli.output import columns, note
from geartrain.server import host as hosts
from geartrain.server.access import authorized
from geartrain.server.access import keys as access
from geartrain.server.access.keys import Key, Role
from geartrain.server.host import ServerHost


@click.group()
def keys() -> None:
    """SSH keys that may push to this host and run `gear` on it, and nothing else."""


@keys.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice([role.value for role in Role]), default=Role.DEPLOY.value,
              show_default=True, help="read looks, deploy also pushes and changes.")  # fmt: skip
@click.option("--app", "apps", multiple=True, metavar="NAME",
              help="An app that it is for; can be given more than once. Default all.")  # fmt: skip
@options.host_dir
@options.json
def keys_add(
    name: str, role: str, apps: tuple[str, ...], host_dir: Path | None, as_json: bool
) -> None:
    """Let the SSH key on the input in, under a NAME; the same name again replaces it.

    It stands in this user's ~/.ssh/authorized_keys, where it may run one command.

    \b
    Examples:
      gear keys add alice < alice.pub
      gear keys add ci --role deploy --app shop < ci.pub
      gear -H root@203.0.113.7 keys add bob --role read < bob.pub
    """
    host = ServerHost(hosts.place(host_dir, os.environ))
    if sys.stdin.isatty():
        note("paste the public key, then press Ctrl-D")
    key = access.make(name, Role(role), apps, sys.stdin.read(20_000))
    with access.changing(host) as known:
        held = next((k for k in known.values() if k.public == key.public and k.name != name), None)
        if held is not None:
            del known[held.name]
        known[name] = key
        _authorize(host, known)
    if as_json:
        print_json(_shown(key))
        return
    about = ", ".join(key.apps) or "all apps"
    click.echo(f"{name} may {key.role}: {about}")
    if held is not None:
        note(f"it was {held.name}'s key until now")


@keys.command("list")
@options.host_dir
@options.json
def keys_list(host_dir: Path | None, as_json: bool) -> None:
    """Show the keys.

    \b
    Examples:
      gear keys list
    """
    known = access.read(ServerHost(hosts.place(host_dir, os.environ)))
    if as_json:
        print_json([_shown(key) for key in known.values()])
        return
    rows = [
        (key.name, key.role, ", ".join(key.apps) or "all", key.public.partition(" ")[0])
        for key in known.values()
    ]
    for line in columns(rows, ("NAME", "ROLE", "APPS", "TYPE")):
        click.echo(line)


@keys.command("remove")
@click.argument("name")
@options.host_dir
def keys_remove(name: str, host_dir: Path | None) -> None:
    """Let a key in no more. What it runs at the moment goes on.

    \b
    Examples:
      gear keys remove alice
    """
    host = ServerHost(hosts.place(host_dir, os.environ))
    with access.changing(host) as known:
        del known[access.known(known, name).name]
        _authorize(host, known)
    click.echo(f"{name} is not let in any more")


def _authorize(host: ServerHost, known: dict[str, Key]) -> None:
    ordered = [known[name] for name in sorted(known)]
    authorized.write(Path.home() / ".ssh", str(host.folder), ordered, ssh.command(host.folder))


def _shown(key: Key) -> dict[str, object]:
    return {"name": key.name, "role": key.role, "apps": key.apps, "public": key.public}
