"""`gear app`: the apps of a host."""

from __future__ import annotations

import getpass
import os
import socket
import sys
from pathlib import Path

import click

from geartrain.cli import options
from geartrain.cli.output import as_json as print_json
from geartrain.cli.output import columns
from geartrain.errors import InvalidError
from geartrain.server import app as apps
from geartrain.server import host as hosts
from geartrain.server.access import keys
from geartrain.server.app import AppFacts, ServerApp
from geartrain.server.host import ServerHost


@click.group()
def app() -> None:
    """The apps of a host."""


@app.command("create")
@click.argument("name")
@click.option("--branch", default="main", show_default=True, help="The branch that releases.")
@click.option("--max-megabytes", "megabytes", type=click.IntRange(1), default=500,
              show_default=True, help="The largest commit that is taken.")  # fmt: skip
@options.host_dir
@options.json
def app_create(
    name: str, branch: str, megabytes: int, host_dir: Path | None, as_json: bool
) -> None:
    """Make an app: a repository that releases what is pushed to it. Prints the remote.

    \b
    Examples:
      gear app create shop
      git remote add live "$(gear app create shop --json | jq -r .remote)"
    """
    host = ServerHost(hosts.place(host_dir, os.environ))
    made = apps.create(host, name, AppFacts(branch=branch, most_megabytes=megabytes))
    remote = str(made.repository)
    far = _from_elsewhere(host, name, remote)
    if as_json:
        print_json({"app": name, "remote": remote, "ssh": far, "branch": branch})
        return
    click.echo(f"made the app {name}; in its repository:")
    if "SSH_CONNECTION" in os.environ:
        click.echo(f"  git remote add live {far}")
        click.echo(f"  git push live {branch}")
        return
    click.echo(f"  git remote add live {remote}")
    click.echo(f"  git push live {branch}")
    click.echo(f"from another machine the remote is {far}")


@app.command("list")
@options.host_dir
@options.json
def app_list(host_dir: Path | None, as_json: bool) -> None:
    """List the apps, with their live releases.

    \b
    Examples:
      gear app list
    """
    host = ServerHost(hosts.place(host_dir, os.environ))
    rows = []
    for name in host.names():
        one = ServerApp(host, name)
        desired = one.ledger(one.home()).desired()
        rows.append({"app": name, "live": desired.live, "commit": desired.commit,
                     "stopped": desired.stopped, "branch": one.facts.branch})  # fmt: skip
    if as_json:
        print_json(rows)
        return
    table = [
        (str(row["app"]), "stopped" if row["stopped"] else str(row["live"] or "none"),
         str(row["commit"])[:12], str(row["branch"]))
        for row in rows
    ]  # fmt: skip
    for line in columns(table, ("APP", "LIVE", "COMMIT", "BRANCH")):
        click.echo(line)


@app.command("env")
@click.argument("name")
@click.argument("assignments", nargs=-1)
@click.option("--unset", multiple=True, metavar="KEY", help="Forget a variable.")
@options.host_dir
@options.json
def app_env(
    name: str, assignments: tuple[str, ...], unset: tuple[str, ...], host_dir: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Show or set the variables that an app's Compose file uses as ${KEY}.

    KEY alone takes the value from the input, so that it stands in no list of
    processes. Values are shown to nobody. They count from the next release on.

    \b
    Examples:
      gear app env shop
      gear app env shop EDGE_PORT=8080
      gear app env shop STRIPE_KEY < key.txt
    """
    one = ServerApp(ServerHost(hosts.place(host_dir, os.environ)), name)
    given = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not key.isidentifier() or not key.isascii():
            raise InvalidError(f"{key!r} is not the name of a variable")
        if not equals:
            value = click.prompt(key, hide_input=True) if sys.stdin.isatty() else sys.stdin.read()
        given[key] = value.rstrip("\n")
    known = one.change_variables(given, unset) if given or unset else one.variables()
    if as_json:
        print_json(sorted(known))
        return
    for key in sorted(known):
        click.echo(key)


def _from_elsewhere(host: ServerHost, name: str, remote: str) -> str:
    """The remote for other machines: short where keys are kept, else through a login shell."""
    user = getpass.getuser()
    _, _, address, port = (
        os.environ.get("SSH_CONNECTION") or f"- - {socket.gethostname()} 22"
    ).split()
    if not keys.read(host):
        return f"ssh://{user}@{address}{remote}"
    return f"{user}@{address}:{name}" if port == "22" else f"ssh://{user}@{address}:{port}/{name}"
