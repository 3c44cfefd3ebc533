"""`gear server`: makes a Geartrain host of a machine."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from geartrain.cli import options
from geartrain.cli.output import as_json as print_json
from geartrain.cli.output import note
from geartrain.cli.progress import Progress
from geartrain.errors import Exit
from geartrain.server.prepare import machine as machines
from geartrain.server.prepare.export import write
from geartrain.server.prepare.export.cloud_init import SMALL
from geartrain.server.prepare.machine import Machine
from geartrain.server.prepare.prepare import Plan, carry_out, look

HERE = "this machine"
_TARGET = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@:\[\]-]*|ssh://[A-Za-z0-9_.+@:\[\]-]+")

_ADDRESS = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&()*+,;=%-]+")


@click.group()
def server() -> None:
    """A server of your own."""


@server.command()
@click.argument("target", required=False, metavar="[USER@HOST]")
@click.option("--local", is_flag=True, help="Prepare the machine that this runs on.")
@click.option("--check", is_flag=True, help="Only say what is missing; exit code 4 if anything is.")
@options.json
def prepare(target: str | None, local: bool, check: bool, as_json: bool) -> int:
    """Make a host of a Debian 12 or 13, Ubuntu 22.04 or 24.04, which takes pushes from then on.

    Over your own ssh, as root or a user with sudo. It says first what it will do. What was done
    before is not done again, so that after an interruption the same command goes on.

    \b
    Examples:
      gear server prepare root@203.0.113.7
      gear server prepare --check root@203.0.113.7
      sudo gear server prepare --local
    """
    if local == (target is not None):
        raise click.UsageError("Name a machine (root@203.0.113.7), or say --local.")
    if target is not None and not _TARGET.fullmatch(target):
        raise click.UsageError(f"{target!r} is not like root@203.0.113.7.")
    began = time.monotonic()
    with _reached(target) as machine:
        machine.become_root()
        plan = look(machine)
        if not as_json:
            _show(machine, plan)
        if not check and plan.open:
            carry_out(machine, plan, Progress())
    if as_json:
        print_json({"machine": machine.name, "system": plan.system.name, "version": plan.version,
                    "steps": [{"step": one.step.title, "lacking": one.lacking}
                              for one in plan.todos],
                    "changed": not check and bool(plan.open)})  # fmt: skip
    elif not check and plan.open:
        note(f"{machine.name} is a host after {time.monotonic() - began:.1f} s")
        _next(target)
    return int(Exit.MISSING) if check and plan.open else int(Exit.OK)


@server.group()
def export() -> None:
    """Write what `prepare` does as a file for another tool."""


@export.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def ansible(folder: Path) -> None:
    """Write an Ansible playbook with a role that does what `gear server prepare` does.

    Geartrain itself is among the role's files. Nothing but ansible.builtin is needed.

    \b
    Examples:
      gear server export ansible servers
      ansible-playbook -i 203.0.113.7, -u root servers/geartrain.yml
    """
    _wrote(write.playbook(folder))


@export.command("cloud-init")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--archive",
    metavar="URL",
    help="Where new servers fetch Geartrain; a / at its end is followed by the archive's name.",
)
def cloud_init(folder: Path, archive: str | None) -> None:
    """Write user data with which a new server does what `gear server prepare` does.

    Geartrain is part of it, which is more than most providers take as user data. With --archive
    it is a file of its own, for you to put at that address.

    \b
    Examples:
      gear server export cloud-init boot --archive https://files.example.com/
      gear server export cloud-init boot
    """
    if archive is not None and not _ADDRESS.fullmatch(archive):
        raise click.UsageError(f"{archive!r} is not like https://files.example.com/.")
    written = write.user_data(folder, archive)
    _wrote(written)
    size = written[0].stat().st_size
    if size > SMALL:
        note(f"{size // 1024} KB of user data are more than many providers take (16 KB is the"
             " least); --archive URL makes it small")  # fmt: skip


def _wrote(paths: list[Path]) -> None:
    for path in paths:
        click.echo(f"wrote {path}")


@contextmanager
def _reached(target: str | None) -> Iterator[Machine]:
    if target is None:
        yield Machine(HERE)
        return
    with machines.over_ssh(target) as machine:
        yield machine


def _show(machine: Machine, plan: Plan) -> None:
    click.echo(f"{machine.name} runs {plan.system.name}")
    if not plan.open:
        click.echo("nothing to do")
    for one in plan.open:
        click.echo(f"  {one}")


def _next(target: str | None) -> None:
    address = (target or "").removeprefix("ssh://").rpartition("@")[2]
    far = f"gear -H {target} " if target else "sudo gear "
    click.echo(f"next: {far}keys add NAME --role admin < key.pub")
    click.echo(f"      gear -H gear@{address or 'ADDRESS'} app create shop")
