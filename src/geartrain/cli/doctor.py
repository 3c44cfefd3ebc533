"""`gear doctor`: what is missing on this machine."""

from __future__ import annotations

import sys

import click

from geartrain.cli import options
from geartrain.cli.output import as_json as print_json
from geartrain.cli.output import paint
from geartrain.errors import Exit


@click.command()
@options.json
def doctor(as_json: bool) -> int:
    """Check this machine, and name the command that mends what is missing.

    \b
    Examples:
      gear doctor
    """
    findings = _findings()
    if as_json:
        print_json([{"what": w, "ok": ok, "remedy": r} for w, ok, r in findings])
    else:
        for what, ok, remedy in findings:
            mark = paint("✓", "green", sys.stdout) if ok else paint("✗", "red", sys.stdout)
            click.echo(f"{mark} {what}" + (f"\n    → {remedy}" if remedy and not ok else ""))
    return 0 if all(ok for _, ok, _ in findings) else int(Exit.MISSING)


def _findings() -> list[tuple[str, bool, str]]:
    import os
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
