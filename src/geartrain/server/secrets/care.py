"""Where a secret's value must not get: into an image, a label, the history, a message."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Mapping

import msgspec

from geartrain.app import stand_in
from geartrain.app.finding import KeyPath
from geartrain.app.model import App
from geartrain.errors import GearError, InvalidError, Problem
from geartrain.load.variables import Use

ARGV = frozenset({"command", "entrypoint", "healthcheck", "release", "check"})
SHORTEST = 6  # characters; anything shorter would be found in every second word


def refuse_kept(app: App, uses: Iterable[Use], names: Collection[str]) -> tuple[str, ...]:
    """Refuse a Compose file that has secrets where they stay, or are shown to everybody.

    Args:
        app: what the file says.
        uses: where it uses variables.
        names: those that are secrets.

    Returns:
        A sentence for each that stands in a list of processes, which only its machine shows.

    Raises:
        InvalidError: an image, a label or the like would have one; with all of them.
    """
    found, notices = [], []
    for use in uses:
        if use.name not in names or _is_safe(use.path):
            continue
        if _is_argv(use.path):
            notices.append(
                f"{use.where}: the secret {use.name} stands in the list of processes there;"
                " as a variable or a file it would not"
            )
            continue
        found.append(_kept(use.where, use.name))
    for service in app.services.values():
        for name in service.build.args if service.build else ():
            where = f"services.{service.name}.build.args.{name}"
            # `args: [NAME]` takes the value without a dollar sign.
            if name in names and not any(problem.where.endswith(where) for problem in found):
                found.append(_kept(where, name))
    if found:
        raise InvalidError("secrets would be kept where they do not belong", problems=found)
    return tuple(dict.fromkeys(notices))


def refuse_split(app: App, uses: Iterable[Use], values: Mapping[str, str]) -> None:
    """Refuse a secret that a command line was split at: its parts would be kept with the release.

    Args:
        app: what the file says, with stand-ins in place of secrets.
        uses: where the file uses variables.
        values: what the secrets are.

    Raises:
        InvalidError: with all of them.
    """
    whole = {
        name: stand_in.names(
            [one.command, one.entrypoint, msgspec.to_builtins(one.healthcheck), one.gear.release,
             one.gear.check, one.rest]
        )
        for name, one in app.services.items()
    }  # fmt: skip
    found = [
        Problem(
            where=use.where,
            what=f"the value of {use.name} has spaces or quotes, at which this line is split",
            remedy="use it in `environment:` or in the top-level `secrets:`",
        )
        for use in uses
        if _is_argv(use.path) and _splits(values.get(use.name, ""))
        if (services := _of(use.path, app)) and not any(use.name in whole[s] for s in services)
    ]
    if found:
        raise InvalidError("secrets would be taken apart", problems=found)


def _of(path: KeyPath, app: App) -> tuple[str, ...]:
    """The services that a place of the file is about, of those that run."""
    if path[:1] != ("services",):
        return tuple(app.services)
    return tuple(name for name in app.services if name in path[1:2])


def _splits(value: str) -> bool:
    try:
        return bool(value) and shlex.split(value) != [value]
    except ValueError:  # a quote without its other half
        return True


def _below(path: KeyPath) -> KeyPath:
    """Without the names of services: one may be called `environment`."""
    return path[2:] if path[:1] == ("services",) else path


def _is_argv(path: KeyPath) -> bool:
    return bool(ARGV.intersection(map(str, _below(path))))


def _is_safe(path: KeyPath) -> bool:
    """Environments of instances, and texts that become files of theirs."""
    if "environment" in _below(path):
        return True
    return bool(path) and path[0] in ("secrets", "configs") and path[-1] == "content"


def _kept(where: str, name: str) -> Problem:
    build = ".build." in where
    return Problem(
        where=where,
        what=f"the secret {name} would stay in the image"
        if build
        else f"the secret {name} would be shown, or written down",
        remedy="use `build.secrets` and `RUN --mount=type=secret`"
        if build
        else "use it in `environment:` or in the top-level `secrets:`",
    )


def hide(error: GearError, values: Mapping[str, str]) -> None:
    """Put names in place of values, whatever an error quotes."""
    known = sorted(values.items(), key=lambda pair: -len(pair[1]))

    def without(text: str) -> str:
        for name, value in known:
            if len(value) >= SHORTEST:
                text = text.replace(value, f"<{name}>")
        return text

    error.what, error.where = without(error.what), without(error.where)
    error.remedy = without(error.remedy)
    error.tail = tuple(map(without, error.tail))
    error.problems = tuple(
        Problem(what=without(p.what), where=without(p.where), remedy=without(p.remedy))
        for p in error.problems
    )
