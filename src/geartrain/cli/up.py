"""`gear up`: from the Compose file to a running app, and from one version to the next."""

from __future__ import annotations

import importlib
import os
import time
from pathlib import Path

import click

from geartrain.cli import options
from geartrain.load import Loaded, load


@click.command()
@options.folder
@options.files
@options.profiles
@click.option("-d", "--detach", is_flag=True, help="Leave it running in the background.")
@click.option("-w", "--watch", is_flag=True, help="Release each change of the files.")
@click.option(
    "--port",
    "ports",
    multiple=True,
    metavar="[PORT=]HERE",
    help="Listen on HERE instead of the Compose file's PORT (default its first).",
)
@click.option(
    "--tls/--no-tls",
    default=None,
    help="Serve with a certificate of your own authority; remembered.",
)
@options.json
def up(
    folder: Path,
    files: tuple[Path, ...],
    profiles: tuple[str, ...],
    detach: bool,
    watch: bool,
    ports: tuple[str, ...],
    tls: bool | None,
    as_json: bool,
) -> int:
    """Start the app of FOLDER's Compose file, or bring it to the state of its files.

    The new version starts beside the old one, is probed, gets the requests, and
    only then does the old one stop. A version that does not get healthy leaves
    the old one serving.

    \b
    Examples:
      gear up                 in the foreground; Ctrl-C stops it
      gear up -d              in the background
      gear up --watch         release each saved change
      gear up --port 9000     on port 9000
      gear up --tls           on https
    """
    began = time.monotonic()
    if as_json and (watch or not detach):
        raise click.UsageError("--json goes with --detach: log lines would follow the answer")
    project = folder.resolve()

    def read() -> Loaded:
        return load(
            project, files=files, profiles=profiles, environ=os.environ, meanwhile=_import_the_rest
        )

    loaded = read()
    from geartrain.cli.bring_up import bring_up

    again = read if watch else None
    return bring_up(
        project, loaded, began, ports, detach=detach, as_json=as_json, tls=tls, again=again
    )


def _import_the_rest() -> None:
    """Importing what is needed after the file is read takes as long as Compose takes to read it."""
    for name in ("dockerfile_parse", "geartrain.cli.bring_up"):
        importlib.import_module(name)
