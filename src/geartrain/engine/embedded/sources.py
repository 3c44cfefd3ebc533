"""Which file says what packages a service needs, and what to tell `uv` for it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from geartrain.engine.embedded.installs import Installs
from geartrain.engine.embedded.layout import Layout
from geartrain.engine.embedded.locks import pipfile_pins, poetry_pins
from geartrain.engine.embedded.requirements import Requirements, local_project, read_requirements
from geartrain.errors import InvalidError

PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg")
PYTHON_FILES = (
    *PROJECT_FILES,
    "uv.lock",
    "requirements.txt",
    "poetry.lock",
    "Pipfile",
    "pylock.toml",
    "manage.py",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where the packages come from, and how `uv` is told.

    `texts` become files of their own that `uv` reads (`-r` and `-c`), `digest`
    names the contents of everything that decides what is installed.
    """

    label: str  # for messages: `backend/requirements.txt`
    folder: Path  # uv's working folder
    sync: tuple[str, ...] | None = None  # options of `uv sync`, else `uv pip install`
    arguments: tuple[str, ...] = ()  # options and files of `uv pip install`
    words: tuple[str, ...] = ()  # requirements, never options
    text: str = ""  # further requirements
    pins: str = ""  # versions to keep to
    projects: tuple[str, ...] = ()  # folders whose own packages must be importable
    seed: bool = False  # the command itself runs pip
    digest: str = ""

    @property
    def empty(self) -> bool:
        """True when nothing is to be installed."""
        return self.sync is None and not (self.arguments or self.words or self.text)


def choose_source(installs: Installs, layout: Layout, workdir: str, where: str) -> Source:
    """The first of: lock file, requirements that RUN lines name, project files, words, nothing.

    Raises:
        InvalidError: a file that the Dockerfile installs from is not there.
    """
    named = bool(installs.files or installs.words or installs.projects)
    lock = _file(layout, "uv.lock")
    if lock and (installs.sync is not None or not named) and _beside(lock, "pyproject.toml"):
        return _locked(lock, installs)
    files = _named(installs.files, layout, workdir)
    if files and None not in files:
        return _requirements([path for path in files if path], installs, layout, workdir)
    poetry = _file(layout, "poetry.lock")
    pipfile = _file(layout, "Pipfile.lock")
    unnamed = not (named or _file(layout, "requirements.txt"))
    # a named file that is not there may be one that another tool exports: `poetry export`
    if lock and files and _beside(lock, "pyproject.toml"):
        return _locked(lock, installs)
    if poetry and (installs.poetry or files or unnamed):
        return _poetry(poetry, installs)
    if pipfile and (installs.pipenv or files or unnamed):
        return _pipfile(pipfile)
    if files:
        name = installs.files[files.index(None)]
        raise InvalidError(
            f"{name}, which the Dockerfile installs from, is not there",
            where=where,
            remedy="commit the file, or correct the RUN line",
        )
    return _usual(installs, layout, workdir) if not named else _project(installs, layout, workdir)


def _usual(installs: Installs, layout: Layout, workdir: str) -> Source:
    """What a Python project has when its Dockerfile names nothing."""
    if found := _file(layout, "requirements.txt"):
        return _requirements([found], installs, layout, workdir)
    if found := _file(layout, "pylock.toml"):
        return _plain(found, ("-r", found.name))
    return _project(installs, layout, workdir)


def _file(layout: Layout, name: str) -> Path | None:
    return next((root / name for root in layout.roots if (root / name).is_file()), None)


def _beside(path: Path, name: str) -> bool:
    return (path.parent / name).is_file()


def _named(names: Sequence[str], layout: Layout, workdir: str) -> list[Path | None]:
    """Where the requirement files of RUN lines are here; None for one that is not."""
    found: list[Path | None] = []
    for name in names:
        tries = [layout.find(name, workdir)]
        tries += [root / part for root in layout.roots for part in (name, Path(name).name)]
        found.append(next((path for path in tries if path and path.is_file()), None))
    return found


def _digest(parts: Sequence[str | Path]) -> str:
    """A name for the contents of files (with their names) and texts."""
    total = hashlib.sha256()
    for part in parts:
        data = part.read_bytes() if isinstance(part, Path) else part.encode()
        name = part.name if isinstance(part, Path) else ""
        total.update(f"{name}:{len(data)}:".encode() + data)
    return total.hexdigest()


def _locked(lock: Path, installs: Installs) -> Source:
    text = lock.read_text(errors="replace")
    # `source = { editable = "libs/x" }`: the project itself, its workspace, its path dependencies
    own = re.findall(r"^source = \{ (?:editable|directory) = \"([^\"]*)\" \}", text, re.M)
    folders = [path for name in own if (path := lock.parent / name).is_dir()]
    sync = installs.sync or ()
    return Source(
        label=lock.name,
        folder=lock.parent,
        sync=sync,
        projects=tuple(str(path) for path in folders),
        digest=_digest([lock, lock.parent / "pyproject.toml", *sync]),
    )


def _plain(path: Path, arguments: tuple[str, ...]) -> Source:
    return Source(
        label=path.name, folder=path.parent, arguments=arguments, digest=_digest([path, *arguments])
    )


def _requirements(files: list[Path], installs: Installs, layout: Layout, workdir: str) -> Source:
    root = files[0].parent
    read = Requirements()
    for path in files:
        read = read_requirements(path, read, layout.inside)
    constraints = [found for name in installs.constraints if (found := layout.find(name, workdir))]
    for path in constraints:
        read = read_requirements(path, read, layout.inside)
    projects = [*_projects(installs, layout, workdir), *read.projects]
    needs, extras = _project_arguments(projects)
    names = [str(path) for path in files] if not read.projects else []
    arguments = (
        *(word for name in names for word in ("-r", name)),
        *(word for path in constraints for word in ("-c", str(path))),
        *needs,
        *_options(installs),
    )
    return Source(
        label=" and ".join(path.name for path in files),
        folder=root,
        arguments=arguments,
        words=installs.words,
        text="" if names else "\n".join(read.lines) + "\n",
        projects=tuple(str(path) for path, _ in projects),
        digest=_digest(
            [*read.files, *_project_files(projects), *extras, *installs.words, *_options(installs)]
        ),
    )


def _poetry(lock: Path, installs: Installs) -> Source:
    folder = lock.parent
    return Source(
        label="poetry.lock",
        folder=folder,
        arguments=("-r", "pyproject.toml", *_options(installs)),
        pins=poetry_pins(lock),
        words=installs.words,
        projects=(str(folder),),
        digest=_digest([lock, folder / "pyproject.toml", *installs.words]),
    )


def _pipfile(lock: Path) -> Source:
    return Source(
        label="Pipfile.lock", folder=lock.parent, text=pipfile_pins(lock), digest=_digest([lock])
    )


def _project(installs: Installs, layout: Layout, workdir: str) -> Source:
    projects = _projects(installs, layout, workdir)
    if not (installs.projects or installs.words):
        for root in layout.roots:
            if (root / "setup.py").is_file() or _declares(root / "pyproject.toml"):
                projects = [(root, "")]
                break
    needs, extras = _project_arguments(projects)
    words = installs.words
    label = "the Dockerfile" if words and not projects else "pyproject.toml"
    return Source(
        label=label,
        folder=layout.roots[0],
        arguments=(*needs, *_options(installs)) if projects or words else (),
        words=words,
        projects=tuple(str(path) for path, _ in projects),
        digest=_digest([*_project_files(projects), *extras, *words, *_options(installs)]),
    )


def _declares(pyproject: Path) -> bool:
    """Whether a pyproject.toml is a project's, not only a tool's settings."""
    try:
        text = pyproject.read_text(errors="replace")
    except OSError:
        return False
    return re.search(r"^\[(project|tool\.poetry)\]", text, re.M) is not None


def _projects(installs: Installs, layout: Layout, workdir: str) -> list[tuple[Path, str]]:
    """(folder, extras) of each `pip install .` of the Dockerfile."""
    found = []
    for word in installs.projects:
        name, extras = local_project(word)
        path = layout.find(name, workdir)
        if path is None and (layout.roots[0] / name).is_dir():
            path = layout.roots[0] / name
        if path is not None and any((path / file).is_file() for file in PROJECT_FILES):
            found.append((path, extras))
    return found


def _project_arguments(projects: Sequence[tuple[Path, str]]) -> tuple[list[str], list[str]]:
    """What installs the needs of projects, without the projects."""
    arguments: list[str] = []
    extras: list[str] = []
    for path, wanted in projects:
        file = next(name for name in PROJECT_FILES if (path / name).is_file())
        arguments += ["-r", str(path / file)]
        extras += [extra for extra in re.findall(r"[A-Za-z0-9._-]+", wanted) if extra not in extras]
    return [*arguments, *(word for extra in extras for word in ("--extra", extra))], extras


def _project_files(projects: Sequence[tuple[Path, str]]) -> list[Path]:
    return [path / n for path, _ in projects for n in PROJECT_FILES if (path / n).is_file()]


def _options(installs: Installs) -> tuple[str, ...]:
    return (*installs.options, *(("--prerelease", "allow") if installs.pre else ()))
