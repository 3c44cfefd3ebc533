"""`gear eject`: what Geartrain makes by itself, as files of the project's own."""

from __future__ import annotations

import os
from pathlib import Path

import click

from geartrain.app.model import Service
from geartrain.cli import options
from geartrain.cli.output import as_json as print_json
from geartrain.cli.output import note
from geartrain.errors import Exit, GearError


@click.command()
@click.option("-C", "--project", type=click.Path(exists=True, file_okay=False, path_type=Path),
              default=".", help="Folder of the project; default this one.")  # fmt: skip
@options.files
@options.profiles
@options.json
@click.argument("services", nargs=-1)
def eject(
    project: Path,
    files: tuple[Path, ...],
    profiles: tuple[str, ...],
    as_json: bool,
    services: tuple[str, ...],
) -> None:
    """Write the Dockerfile that a Python project without one is built from.

    It is yours from then on. A file that is there already is never changed.

    \b
    Examples:
      gear eject
      gear eject web
    """
    from geartrain.load import load

    root = project.resolve()
    app = load(root, files=files, profiles=profiles, environ=os.environ).app
    for name in services:
        if name not in app.services or app.services[name].build is None:
            raise GearError(f"there is no service {name} that is built", code=Exit.INVALID)
    texts: dict[Path, str] = {}
    for service in app.services.values():
        if not services or service.name in services:
            texts |= _texts(service, root, named=bool(services))
    _write(texts)
    shown = [str(path.relative_to(root)) for path in texts]
    if as_json:
        print_json({"written": shown})
    for name in shown if not as_json else ():
        click.echo(f"wrote {name}")
    if not shown:
        note("nothing to write: every service that is built has a Dockerfile")


def _texts(service: Service, root: Path, *, named: bool) -> dict[Path, str]:
    """What is to be written for a service; nothing for one that has its Dockerfile."""
    from geartrain.engine.docker.builds.project import look
    from geartrain.render.dockerfile import IGNORED, dockerfile

    made = service.build
    if made is None or made.inline is not None:
        return {}
    context = root / made.context
    target = context / made.dockerfile
    if target.exists():
        if named:
            raise GearError(f"{target.relative_to(root)} is there already; it stays as it is")
        return {}
    found = {target: dockerfile(look(context, service, f"services.{service.name}.build"))}
    ignored = context / ".dockerignore"
    return found if ignored.exists() else {**found, ignored: IGNORED}


def _write(texts: dict[Path, str]) -> None:
    """Make the files, unless somebody else did meanwhile."""
    for path, text in texts.items():
        try:
            with path.open("x") as file:
                file.write(text)
        except FileExistsError as error:
            raise GearError(f"{path} is there already; it stays as it is") from error
