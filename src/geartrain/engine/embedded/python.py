"""What it takes to run a service's instances on this machine without Docker."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from geartrain.app.model import MountKind, Service
from geartrain.engine.embedded.command import declared, detect, split, unwrap
from geartrain.engine.embedded.installs import read_installs
from geartrain.engine.embedded.interpreter import base_python, choose, other_language
from geartrain.engine.embedded.layout import Layout, lay_out
from geartrain.engine.embedded.project import Overlay, overlay
from geartrain.engine.embedded.sources import PYTHON_FILES, choose_source
from geartrain.engine.embedded.venv import ensure
from geartrain.errors import InvalidError

HOOK = Path(__file__).parent / "hook"

# what an instance has of the user's own environment; a container would have none of the rest
_INHERITED = re.compile(
    r"HOME|USER|LOGNAME|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|SSL_CERT_FILE|SSL_CERT_DIR|REQUESTS_CA_BUNDLE"
    r"|CURL_CA_BUNDLE|NODE_EXTRA_CA_CERTS"
)
_WAYS_OUT = (
    "set x-gear.embedded.command to what starts it here, or run this app with Docker Compose"
)
_DOES_MORE = re.compile(
    r"\bpython[\d.]*\s+(?!-m\s+(?:pip|compileall|venv|ensurepip|virtualenv)\b|--version|-V)\S"
    r"|\bmanage\.py\b|\b(?:npm|pnpm|yarn|bun)\s+(?:run\s+)?build\b|\bmake\s+\w"
)
# settings of an image that hold its own folders, or make starts slower here
_IMAGE_ONLY = frozenset({"PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "HOME"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """How one service's instances are started.

    `argv` and `env` still name the image's paths and other services; `localize`
    with `paths` (and the paths of mounts) fits them to an instance. `env` is the
    whole environment, the service's own values included.
    """

    argv: tuple[str, ...]
    cwd: Path
    env: dict[str, str]
    paths: dict[str, str]
    notices: tuple[str, ...] = ()
    venv: Path | None = None


def prepare(
    service: Service,
    checkout: Path,
    envs: Path,
    uv: Path,
    *,
    target: Path,
    report: Callable[[str], None],
    environ: Mapping[str, str] = os.environ,
) -> Prepared:
    """Find or make everything that a service needs to run here.

    Args:
        service: the service.
        checkout: the release's own copy of the project folder.
        envs: folder of the shared virtual environments.
        uv: the uv program.
        target: folder of this release and service for what is made for it alone.
        report: told in one line what takes time.
        environ: this process's environment.

    Raises:
        InvalidError: the service cannot run without Docker as it is.
        GearError: packages could not be installed; with uv's last words.
    """
    where = f"services.{service.name}"
    own = service.gear.embedded.command if service.gear.embedded else None
    context = checkout / (service.build.context if service.build else ".")
    if not context.resolve().is_relative_to(checkout.resolve()) or not context.is_dir():
        raise InvalidError(
            f"the build context {service.build.context if service.build else '.'} is not a folder"
            " of the project",
            where=f"{where}.build.context",
        )
    workdir = service.working_dir or service.built.working_dir
    layout = lay_out(
        context,
        _copies(service, checkout, context),
        workdir,
        inside=checkout,
        target=target / "root",
        where=where,
    )
    python = _python_of(service, layout)
    if python is None and own is None:
        raise _foreign(service, where)
    argv = split(own) if own is not None else unwrap(declared(service))
    notices: list[str] = []
    env: Path | None = None
    over = Overlay()
    if python is not None:
        interpreter = choose(python or _version_file(layout), environ)
        if interpreter.notice:
            notices.append(f"{service.name} {interpreter.notice}")
        installs = read_installs(service.built.runs, service.built.installs)
        source = choose_source(installs, layout, workdir, where)
        source = replace(source, seed=_runs_pip(argv, layout, workdir))
        notices += _left_undone(service)
        who = service.name
        env = ensure(
            source, interpreter, envs=envs, uv=uv, environ=environ, report=report, where=who,
            user=checkout,
        )  # fmt: skip
        over = overlay(
            source.projects, env, target, uv=uv, environ=environ, report=report, where=who
        )
    argv = argv or detect(layout.cwd, env)
    if not argv:
        raise InvalidError(
            "no command says how to start it",
            where=where,
            remedy="add `command:` to the service, CMD to its Dockerfile,"
            " or x-gear.embedded.command",
        )
    paths = _paths(service, layout, env)
    environment = _environment(service, env, over, paths, environ)
    return Prepared(
        argv=_program(argv, layout, workdir, env, environment, where),
        cwd=layout.cwd,
        env=environment,
        paths=paths,
        notices=tuple(notices),
        venv=env,
    )


def refuse_foreign(service: Service, project: Path) -> None:
    """Refuse a service that has no counterpart here, before anything is made for it.

    Args:
        service: the service.
        project: the project folder, or a checkout of it.

    Raises:
        InvalidError: it is neither Python nor says how to start it here.
    """
    base = service.built.base or ("" if service.build else service.image)
    if service.gear.embedded or (base and base_python(base) is not None):
        return
    if service.build is not None and not other_language(base):
        context = project / service.build.context
        if any((context / name).is_file() for name in PYTHON_FILES) or service.built.copies:
            return  # what is copied from where is looked at when it is built
    raise _foreign(service, f"services.{service.name}")


def _copies(service: Service, checkout: Path, context: Path) -> list[tuple[Path, str]]:
    """The image's COPY instructions, and bind mounts of source over them."""
    found = []
    for source, to in service.built.copies:
        found.append((Path(os.path.normpath(context / source.lstrip("/"))), to))
    for mount in service.mounts:
        real = checkout / mount.source
        if mount.kind is MountKind.BIND and not mount.source.startswith("/") and real.is_dir():
            workdir = service.working_dir or service.built.working_dir
            if workdir and (workdir + "/").startswith(mount.target.rstrip("/") + "/"):
                # a mount over the whole working folder hides what was copied there
                found = [pair for pair in found if not pair[1].startswith(mount.target)]
                found.append((real, mount.target))
    return found


def _python_of(service: Service, layout: Layout) -> str | None:
    """The Python version of a service ("" for any); None when it is not Python."""
    base = service.built.base or ("" if service.build else service.image)
    version = base_python(base) if base else None
    if version is not None:
        return version
    if service.build is None or other_language(base):
        return None
    there = any((root / name).is_file() for root in layout.roots for name in PYTHON_FILES)
    return "" if there else None


def _version_file(layout: Layout) -> str | None:
    for root in layout.roots:
        try:
            found = re.match(r"\s*(3\.\d+)", (root / ".python-version").read_text())
        except OSError:
            continue
        if found:
            return found[1]
    return None


def _runs_pip(argv: tuple[str, ...], layout: Layout, workdir: str) -> bool:
    """Whether the command, or a script of the repository that it runs, calls pip."""
    texts = [" ".join(argv)]
    for word in argv[:3]:
        path = layout.find(word, workdir) if re.fullmatch(r"[\w./-]+\.sh|/[\w./-]+", word) else None
        if path is not None and path.is_file() and path.stat().st_size < 100_000:
            texts.append(path.read_text(errors="replace"))
    return any(re.search(r"\bpip3? install\b", text) for text in texts)


def _left_undone(service: Service) -> list[str]:
    """What RUN lines do beyond installing packages, and nobody does here."""
    parts = (part for run in service.built.runs for part in re.split(r"&&|;|\n", run))
    return [
        f"{service.name}: `{' '.join(part.split())}` of the Dockerfile is not run here;"
        " put it in x-gear.release or the command"
        for part in parts
        if _DOES_MORE.search(part)
    ]


def _foreign(service: Service, where: str) -> InvalidError:
    if service.build is None:
        return InvalidError(
            f"the image {service.image} has no counterpart that runs without Docker",
            where=f"{where}.image",
            remedy=_WAYS_OUT,
        )
    base = service.built.base
    why = f"it is built from {base}, not from Python" if base else "nothing in it is Python"
    folder = service.build.context
    return InvalidError(
        f"{service.name} cannot run without Docker as it is: {why}",
        where=f"{where}.build",
        remedy=_WAYS_OUT
        if base
        else f"{_WAYS_OUT}; looked for {', '.join(PYTHON_FILES)} in {folder}",
    )


def _paths(service: Service, layout: Layout, env: Path | None) -> dict[str, str]:
    """Paths of the image and what they are here; what is already here stays."""
    paths = dict(layout.paths) | {str(HOOK): str(HOOK)}
    if env is not None:
        paths[str(env)] = str(env)
        image = service.built
        names = [image.environment.get("VIRTUAL_ENV", ""), "/opt/venv", "/venv"]
        names.append(f"{(service.working_dir or image.working_dir).rstrip('/')}/.venv")
        for name in names:
            if name.startswith("/") and not Path(name).exists():
                paths.setdefault(name, str(env))
    return paths


def _environment(
    service: Service,
    env: Path | None,
    over: Overlay,
    paths: Mapping[str, str],
    environ: Mapping[str, str],
) -> dict[str, str]:
    from geartrain.engine.embedded.paths import Paths

    found = {name: value for name, value in environ.items() if _INHERITED.fullmatch(name)}
    image = service.built.environment
    found |= {name: value for name, value in image.items() if name not in _IMAGE_ONLY}
    found |= {name: value for name, value in service.environment.items() if name != "PATH"}
    search = [*over.scripts, *([str(env / "bin")] if env else [])]
    found["PATH"] = os.pathsep.join([*search, environ.get("PATH", os.defpath)])
    theirs = found.get("PYTHONPATH", "")
    mapped = [Paths(paths).in_text(part) for part in theirs.split(os.pathsep) if part]
    found["PYTHONPATH"] = os.pathsep.join([str(HOOK), *mapped, *over.imports])
    if env is not None:
        found["VIRTUAL_ENV"] = str(env)
        found.setdefault("PYTHONUNBUFFERED", "1")
    return found


def _program(
    argv: tuple[str, ...],
    layout: Layout,
    workdir: str,
    env: Path | None,
    environment: Mapping[str, str],
    where: str,
) -> tuple[str, ...]:
    """The command with its program found: here, in the environment, or on PATH.

    Raises:
        InvalidError: there is no such program.
    """
    first, rest = argv[0], argv[1:]
    if "/" in first:
        here = layout.find(first, workdir)
        if here is not None and here.is_file():
            return (*_runnable(here), *rest)
        if os.access(first, os.X_OK) and first.startswith("/"):
            name = first.rpartition("/")[2]
            if env is not None and (env / "bin" / name).exists():
                return (str(env / "bin" / name), *rest)  # `/usr/local/bin/python`
            return argv
    found = shutil.which(first.rpartition("/")[2], path=environment["PATH"])
    if found is None:
        raise InvalidError(
            f"the program {first} is not there",
            where=where,
            remedy="add the package that brings it to the service's requirements,"
            " or set x-gear.embedded.command",
        )
    return (found, *rest)


def _runnable(script: Path) -> tuple[str, ...]:
    """A file of the repository as a command; without its executable bit, by its first line."""
    if os.access(script, os.X_OK):
        return (str(script),)
    with script.open("rb") as file:
        line = file.readline(256).decode(errors="replace").strip()
    if line.startswith("#!"):
        return (*line[2:].split(), str(script))
    return ("/bin/sh", str(script))
