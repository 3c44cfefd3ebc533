"""From a project folder to a validated `App`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from geartrain.app.model import App

if TYPE_CHECKING:
    from geartrain.load.variables import Use

__all__ = ["Loaded", "load"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """An app, what its user should know once, its files, and where they use which variables."""

    app: App
    notices: tuple[str, ...]
    sources: tuple[Path, ...]
    uses: tuple[Use, ...] = ()


def load(
    project: Path,
    *,
    files: Sequence[Path] = (),
    profiles: Sequence[str] = (),
    environ: Mapping[str, str],
    name: str = "",
    meanwhile: Callable[[], None] | None = None,
) -> Loaded:
    """Read, resolve and check the Compose file of a project folder.

    Nothing is changed or started. Values of secrets are not read.

    Args:
        project: the project folder, the root of its repository.
        files: Compose files to use instead of the usual ones, relative to it.
        profiles: active Compose profiles.
        environ: the environment that variables in the file are taken from.
        name: the app's name when neither `x-gear.name` nor `name:` says one;
            default the folder's.
        meanwhile: called in a thread of its own while Compose reads the file.

    Raises:
        InvalidError: the file is wrong; all findings of the failing check at once.
        GearError: Compose is not there or does not answer.
    """
    from geartrain.load.project import read_project

    return read_project(project, files, profiles, environ, name, meanwhile)
