"""Options that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def _service_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """For the shell's completion: services that have said something here."""
    from geartrain.cli import place
    from geartrain.errors import GearError

    try:
        params = ctx.params
        found = place.find(
            Path(params.get("project") or "."), params.get("app_name"), params.get("host_dir")
        )
    except GearError:
        return []
    names = {path.stem for path in found.home.logs.glob("*.log")}
    return sorted(n for n in names - {"access", "supervisor"} if n.startswith(incomplete))


def services(*, required: bool = False) -> Callable[[F], F]:
    """The argument SERVICES, completed by the shell."""
    return click.argument("services", nargs=-1, required=required, shell_complete=_service_names)


service = click.argument("service", shell_complete=_service_names)
project = click.option(
    "-C",
    "--project",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    help="Folder of the project; default this one, or the nearest above it that was started.",
)
host_dir = click.option(
    "--host-dir",
    type=click.Path(path_type=Path),
    help="The host's folder of state; default GEAR_HOST, else this user's or this machine's.",
)
app_name = click.option(
    "--app",
    "app_name",
    metavar="NAME",
    help="An app of the host; default that of the project, or of its repository's remote.",
)
json = click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
files = click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Compose file to use instead of the usual ones; can be given more than once.",
)
profiles = click.option("--profile", "profiles", multiple=True, help="Compose profile to enable.")


def folder(command: F) -> F:
    """The folder of the project, as an argument or as `-C`; the command gets it as `folder`."""

    @functools.wraps(command)
    def with_folder(*args: Any, folder: Path | None, project: Path | None, **rest: Any) -> Any:
        if folder and project:
            raise click.UsageError("say the folder once: as FOLDER or with -C")
        return command(*args, folder=folder or project or Path(), **rest)

    here = click.Path(exists=True, file_okay=False, path_type=Path)
    said = click.argument("folder", type=here, required=False)
    option = click.option("-C", "--project", type=here, help="The same as FOLDER.")
    return said(option(with_folder))  # type: ignore[return-value]  # the same command


def place(command: F) -> F:
    """The options that say which app a command is about; it gets them as `found`."""

    @functools.wraps(command)
    def with_place(
        *args: Any, project: Path, app_name: str | None, host_dir: Path | None, **rest: Any
    ) -> Any:
        from geartrain.cli import place, trouble

        found = place.find(project, app_name, host_dir)
        trouble.tell(found)
        return command(*args, found=found, **rest)

    return project(app_name(host_dir(with_place)))  # type: ignore[return-value]  # the same command
