"""`gear doctor`: what is missing on this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import click

from geartrain.cli import options
from geartrain.cli.output import as_json as print_json
from geartrain.cli.output import paint
from geartrain.errors import Exit
from geartrain.server.doctor.finding import Finding


@click.command()
@click.option("--server", is_flag=True, help="Look at the host, and the machine it is on, too.")
@options.host_dir
@options.json
def doctor(server: bool, host_dir: Path | None, as_json: bool) -> int:
    """Check this machine, and name the command that mends what is missing.

    With --server, what a host needs to stay up: its disks and clock, Docker, ports, where its
    domains lead, certificates, pending reboots. Exits with 4 when something is to be done.

    \b
    Examples:
      gear doctor
      gear doctor --server
      gear -H gear@203.0.113.7 doctor --server
    """
    findings = list(_of_host(host_dir) if server else _of_machine())
    if as_json:
        print_json([asdict(one) for one in findings])
    else:
        for one in findings:
            mark = paint("✓", "green", sys.stdout) if one.ok else paint("✗", "red", sys.stdout)
            click.echo(f"{mark} {one.what}")
            if one.remedy and not one.ok:
                click.echo(f"    → {one.remedy}")
    return 0 if all(one.ok for one in findings) else int(Exit.MISSING)


def _of_host(host_dir: Path | None) -> Iterable[Finding]:
    from geartrain.server import host as hosts
    from geartrain.server.doctor.examine import examine

    return examine(hosts.ServerHost(hosts.place(host_dir, os.environ)))


def _of_machine() -> Iterable[Finding]:
    return (Finding(what=what, ok=ok, remedy=remedy) for what, ok, remedy in _findings())


def _findings() -> list[tuple[str, bool, str]]:
    import shutil

    from geartrain.engine.embedded import binaries, host, ports
    from geartrain.load.resolve import binary

    sudo = "" if os.geteuid() == 0 else "sudo "
    lacking = dict(binaries.missing())
    user = host.data_user()
    found = [
        ("Linux", sys.platform == "linux", "elsewhere, run apps with Docker Compose"),
        (f"Python {sys.version.split()[0]}", sys.version_info >= (3, 11), "install Python 3.11"),
        ("git", shutil.which("git") is not None, f"{sudo}apt-get install git"),
        *((name, name not in lacking, lacking.get(name, ""))
          for name in ("nginx", "PostgreSQL", "Valkey", "uv")),
    ]  # fmt: skip
    try:
        binary(os.environ)
        compose = True
    except Exception:  # any failure means that it cannot be used
        compose = False
    found.append(("Compose", compose, binaries.REMEDY))
    free = shutil.disk_usage("/").free // 2**20
    found.append((f"{free} MB free", free > 1024, "make room: a release needs some 200 MB"))
    who = "this user" if user is None else f"user {user}"
    found.append((f"PostgreSQL would run as {who}", True, ""))
    found.append(
        ("port 80 for this user" if ports.may_bind(80) else "port 80 becomes 8080", True, "")
    )
    return found
