"""Stand-ins for secrets: what of a release is kept on a disk names them, and has no value.

A stand-in is `NUL NAME:MARK NUL`. No text of a Compose file and no variable has a NUL in it, so
that nothing else is taken for one, and one that is forgotten starts no program. The mark differs
when the value does, and tells nothing of it to whoever has no key to it; with it, a release whose
secret was changed is another release.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from geartrain.app.model import App, Build, Grant, Service, Source
from geartrain.app.release import Release, definition
from geartrain.errors import GearError

_STAND_IN = re.compile("\0([A-Za-z_][A-Za-z0-9_]*):([0-9a-f]*)\0")
Change = Callable[[str], str]


def put(
    app: App, values: Mapping[str, str], marks: Mapping[str, str], given: Mapping[str, str]
) -> App:
    """Put stand-ins in place of secrets, wherever an app may have them.

    Args:
        app: what the Compose file says.
        values: what the secrets are.
        marks: what changes with the value of a secret.
        given: what changes with the value of any variable that a file's text may come from.
    """
    # The longest first: one value may be a part of another.
    known = sorted(((v, n) for n, v in values.items() if v), key=lambda one: (-len(one[0]), one))
    pattern = re.compile("|".join(re.escape(value) for value, _ in known))
    by_value = dict(reversed(known))

    def change(text: str) -> str:
        if not known:
            return text
        return pattern.sub(lambda m: f"\0{by_value[m[0]]}:{marks[by_value[m[0]]]}\0", text)

    return _marked(_changed(app, change), given)


def fill(release: Release, values: Mapping[str, str]) -> Release:
    """Put the values back. What has none is the same as before.

    Args:
        release: a release as it is kept.
        values: what the secrets are; not looked at where there is no stand-in.

    Raises:
        GearError: one has no value any more.
    """

    def change(text: str) -> str:
        return _STAND_IN.sub(lambda m: _value(m[1], values, release.number), text)

    app = _changed(release.app, change)
    if app == release.app:
        return release
    services = {
        name: one
        if one == release.app.services[name]
        # Whoever compares it with what is kept knows it by what is kept.
        else replace(one, known_as=definition(release.app.services[name]))
        for name, one in app.services.items()
    }
    return replace(release, app=replace(app, services=services))


def names(value: object) -> frozenset[str]:
    """The secrets that some texts have stand-ins of, in whatever they lie."""
    return frozenset(m[1] for text in _texts(value) for m in _STAND_IN.finditer(text))


def _value(name: str, values: Mapping[str, str], number: int) -> str:
    if name not in values:
        raise GearError(
            f"the secret {name} of release {number} is not in its file of secrets",
            remedy="push its commit again",
        )
    return values[name]


def _changed(app: App, change: Change) -> App:
    return replace(
        app,
        services={name: _service(one, change) for name, one in app.services.items()},
        secrets={name: _source(one, change) for name, one in app.secrets.items()},
        configs={name: _source(one, change) for name, one in app.configs.items()},
    )


def _service(service: Service, change: Change) -> Service:
    """Where `server.secrets.care` lets secrets be: environments, and command lines."""
    check = service.healthcheck
    gear = service.gear
    return replace(
        service,
        environment=_all(service.environment, change),
        command=_all(service.command, change),
        entrypoint=_all(service.entrypoint, change),
        healthcheck=replace(check, test=_all(check.test, change)) if check else None,
        gear=replace(
            gear, release=_all(gear.release, change), check=_all(gear.check, change)
        ),
        rest=_all(service.rest, change),
    )  # fmt: skip


def _source(source: Source, change: Change) -> Source:
    return replace(source, content=_all(source.content, change))


def _all(value: Any, change: Change) -> Any:
    """The same with every text changed, but for names."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _all(inner, change) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_all(inner, change) for inner in value)
    return value


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _marked(app: App, marks: Mapping[str, str]) -> App:
    """The marks of what services and builds are given as files."""

    def of(source: str, sources: Mapping[str, Source]) -> str:
        variable = sources[source].environment if source in sources else None
        return marks.get(variable, "") if variable is not None else ""

    def grants(given: tuple[Grant, ...], sources: Mapping[str, Source]) -> tuple[Grant, ...]:
        return tuple(replace(one, mark=of(one.source, sources)) for one in given)

    def built(build: Build | None) -> Build | None:
        if build is None:
            return None
        given = (replace(one, mark=of(one.source, app.secrets)) for one in build.secrets)
        return replace(build, secrets=tuple(given))

    return replace(
        app,
        services={
            name: replace(
                one,
                secrets=grants(one.secrets, app.secrets),
                configs=grants(one.configs, app.configs),
                build=built(one.build),
            )
            for name, one in app.services.items()
        },
    )
