"""The steps of loading, in order: find, guard, resolve, decode, check."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from geartrain.app import callers, compose, names, ports, published, roles, routes
from geartrain.app.finding import Finding
from geartrain.errors import InvalidError, Problem
from geartrain.load import (
    Loaded,
    document,
    examples,
    growth,
    images,
    inside,
    redis_conf,
    references,
    resolve,
    sources,
    variables,
)
from geartrain.load.callers import nginx_texts
from geartrain.load.complaints import MissingEnvFilesError, explain
from geartrain.load.locate import SourceFile, problem, raise_all
from geartrain.load.passwordless import with_open_caches


def read_project(
    project: Path,
    files: Sequence[Path],
    profiles: Sequence[str],
    environ: Mapping[str, str],
    name: str,
    meanwhile: Callable[[], None] | None,
) -> Loaded:
    """Do what `geartrain.load.load` says."""
    root = project.resolve()
    _env_inside(root / ".env", root)
    settings = sources.settings(root, environ)
    paths = sources.find(root, files, settings)
    dot_env = paths[0].parent / ".env"
    _env_inside(dot_env, root)
    model = references.gather(paths, root, lambda: resolve.environment(paths, environ))
    growth.check([*model.files, *model.extended], model.env_files, dot_env, root)
    default = _default_name(model.files, name, root, settings)
    asked = _Asked(root, paths, tuple(profiles), environ, default)
    if meanwhile:
        threading.Thread(target=meanwhile, daemon=True).start()
    resolved = asked.config()
    if resolved.code != 0:
        _explain_variables(asked, model)
        _explain_env_files(asked, model)
        raise explain(resolved.err, model.files, model.places)
    config = document.parse(resolved.out)
    decoded = compose.decode(
        config,
        project=str(root),
        order=[name for file in model.files for name in file.keys_of("services")],
        environ=environ,
        compose_file=model.files[-len(paths)].shown,
    )
    _variables(model, asked, resolved.err, set(decoded.app.services))
    app, notices = decoded.app, decoded.notices
    found = [*decoded.findings, *inside.outside(app, root)]
    if not found:
        app, more = images.with_images(app, root)
        found += more
    if not found:
        cast = roles.with_roles(app)
        called = callers.called_on(cast.app, nginx_texts(cast.app, root))
        app, found = ports.with_ports(cast.app, called), [*found, *cast.findings]
    if not found:
        app, said = redis_conf.with_redis_conf(app, root)
        app, more_said = with_open_caches(app, root)
        notices = (*notices, *said, *more_said)
    if not found and not app.services:
        found.append(_empty(model.files))
    if not found:
        found += routes.check(app)
    fail(model.files, found)
    used = variables.uses([*model.files, *model.extended], defaults=True)
    return Loaded(app, (*notices, *published.notices(app)), paths, tuple(used))


@dataclass(frozen=True, slots=True)
class _Asked:
    """How Compose is called for one project."""

    root: Path
    paths: tuple[Path, ...]
    profiles: tuple[str, ...]
    environ: Mapping[str, str]
    name: str

    def config(self, *options: str) -> resolve.Resolved:
        return resolve.config(
            self.paths,
            environ=self.environ,
            profiles=self.profiles,
            name=self.name,
            options=options,
        )


def _default_name(
    files: Sequence[SourceFile], name: str, root: Path, settings: Mapping[str, str]
) -> str:
    """The project name for Compose; "" when the file or the environment has one."""
    if settings.get("COMPOSE_PROJECT_NAME"):
        return ""
    if any(document.walk(file.node, ("name",)) is not None for file in files):
        return ""
    return names.app_name(name or root.name)


def _env_inside(path: Path, root: Path) -> None:
    found = inside.leaves(str(path), root, "the file", ())
    if found:
        raise InvalidError(found[0].what, where=".env", remedy=found[0].remedy)


def _variables(model: references.Model, asked: _Asked, messages: str, running: set[str]) -> None:
    """Refuse variables without a value, but not those of services that do not run here."""
    unset = variables.warned(messages)
    if not unset:
        return
    used = _live(model, running)
    somewhere = {use.name for use in variables.uses([*model.files, *model.extended])}
    problems = variables.missing(used, [n for n in unset if n in {use.name for use in used}])
    rest = [name for name in unset if name not in somewhere]
    for path in dict.fromkeys((asked.paths[0].parent / ".env", *model.env_files)) if rest else ():
        shown = os.path.relpath(path, asked.root)
        problems += variables.in_env_file(path, shown, rest)
    told = " ".join(problem.what for problem in problems)
    problems += variables.missing((), [n for n in rest if f"variable {n} is" not in told])
    _raise_missing(problems, asked.paths[0].parent)


def _live(model: references.Model, running: set[str]) -> list[variables.Use]:
    """The uses outside of services that do not run."""
    return [
        use
        for use in variables.uses([*model.files, *model.extended])
        if use.path[:1] != ("services",) or len(use.path) < 2 or use.path[1] in running
    ]


def _explain_variables(asked: _Asked, model: references.Model) -> None:
    """Compose stops at the first `${X:?}`; find all that have no value."""
    running = _running(asked, model)
    used = _live(model, running)
    if not used:
        return
    known = resolve.environment(asked.paths, asked.environ)
    names_used = dict.fromkeys(use.name for use in used)
    unset = [name for name in names_used if name not in known]
    empty = [name for name in names_used if known.get(name) == ""]
    _raise_missing(variables.missing(used, unset, empty), asked.paths[0].parent)


def _explain_env_files(asked: _Asked, model: references.Model) -> None:
    """Compose stops at the first env file that is not there; find all of them."""
    running = _running(asked, model)
    missing = [path for name, path in model.needed if name in running and not path.is_file()]
    if missing:
        raise MissingEnvFilesError(missing, model.places)


def _running(asked: _Asked, model: references.Model) -> set[str]:
    """The services that no profile keeps from running."""
    active = {*asked.profiles, *asked.environ.get("COMPOSE_PROFILES", "").split(",")}
    running = set()
    for file in [*model.files, *model.extended]:
        for name in file.keys_of("services"):
            node = document.walk(file.node, ("services", name, "profiles"))
            needs = {item.value for item in node.value} if node is not None else set()
            if not needs or needs & active or "*" in active:
                running.add(name)
    return running


def _raise_missing(problems: Sequence[variables.Unset], folder: Path) -> None:
    example = "" if (folder / ".env").exists() else examples.of(folder / ".env")
    remedy = f"cp {example} .env, and look through it" if example else ""
    variables.raise_missing(problems, remedy)


def _empty(files: Sequence[SourceFile]) -> Finding:
    if any(file.keys_of("services") for file in files):
        return Finding(("services",), "every service is in a profile", "name one with --profile")
    return Finding(("services",), "there is no service", "add one")


def fail(files: Sequence[SourceFile], findings: Sequence[Finding]) -> None:
    """Raise when something was found: one finding as itself, several as a list."""
    found = sorted((problem(files, finding) for finding in findings), key=_line)
    raise_all(found, f"{files[-1].shown} has {len(set(found))} mistakes")


def _line(found: Problem) -> int:
    """The line of a problem, for an order that follows the file."""
    number = found.where.partition(" ")[0].rpartition(":")[2]
    return int(number) if number.isdecimal() else 0
