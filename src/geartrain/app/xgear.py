"""`x-gear` into its types, with every mistake told at once.

Types, bounds and words come from `geartrain.app.policy`; this walks them, so a
new key needs no second place.
"""

from __future__ import annotations

import types
from enum import EnumMeta
from functools import cache
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from geartrain.app.finding import Finding, KeyPath, nearest, shown_value

T = TypeVar("T", bound=Struct)

# What a pattern of the policy types means, as people say it.
SAID = {
    "AppName": "lower-case letters, digits and '-', starting with a letter, at most 40 characters",
    "UrlPath": "a URL path that starts with '/'",
    "Domain": "a host name such as shop.example.com or *.example.com, in lower case",
    "Duration": "a duration such as 10s, 5m or 1h30m",
    "Rate": "a rate such as 10/s or 5/m",
    "Size": "a size such as 512k, 20m or 1g",
}


@cache
def _patterns() -> dict[str, str]:
    from geartrain.app import policy

    said = {}
    for name, words in SAID.items():
        meta = next(m for m in get_args(getattr(policy, name)) if isinstance(m, Meta))
        said[str(meta.pattern)] = words
    return said


@cache
def hints(kind: type) -> dict[str, Any]:
    """The field types of a struct, with their `Meta`."""
    return get_type_hints(kind, include_extras=True)


def allowed(kind: Any) -> str:
    """Say what a type allows: `a whole number from 1 to 65535`, `evict or durable`."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _bounded(args[0], [m for m in args[1:] if isinstance(m, Meta)])
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(allowed(a) for a in args if a is not types.NoneType))
    if origin is list:
        return f"a list of {allowed(args[0])}"
    if origin is dict:
        return f"a mapping of {allowed(args[0])} to {allowed(args[1])}"
    if isinstance(kind, EnumMeta):
        *most, last = [str(member.value) for member in kind]  # type: ignore[var-annotated]
        return f"{', '.join(most)} or {last}" if most else last
    if isinstance(kind, type) and issubclass(kind, Struct):
        return f"a mapping with the keys {', '.join(kind.__struct_fields__)}"
    return {bool: "true or false", int: "a whole number", float: "a number", str: "text"}.get(
        kind, str(kind)
    )


def _bounded(base: Any, metas: list[Meta]) -> str:
    for meta in metas:
        if meta.pattern is not None:
            return _patterns().get(meta.pattern, f"text that matches {meta.pattern}")
        if meta.ge is not None and meta.le is not None:
            return f"{allowed(base)} from {meta.ge} to {meta.le}"
        if meta.ge is not None:
            return f"{allowed(base)}, at least {meta.ge}"
    return allowed(base)


def decode(value: object, kind: type[T], path: KeyPath, findings: list[Finding]) -> T:
    """Decode one `x-gear` mapping.

    Args:
        value: what stands under the key.
        kind: `AppPolicy` or `ServicePolicy`.
        path: where it stands.
        findings: gets one entry for each mistake.

    Returns:
        The policy; its defaults where there were mistakes.
    """
    if value is None:
        return kind()
    before = len(findings)
    _check(value, kind, path, findings)
    if len(findings) > before:
        return kind()
    try:
        # Not strict: Compose hands on `port: ${PORT:-8000}` as text.
        return msgspec.convert(value, kind, strict=False)
    except (msgspec.ValidationError, RecursionError, OverflowError) as error:
        findings.append(Finding(path, str(error)))
        return kind()


def _check(value: object, kind: Any, path: KeyPath, findings: list[Finding]) -> None:
    origin, args = get_origin(kind), get_args(kind)
    bare = args[0] if origin is Annotated else kind
    if isinstance(bare, type) and issubclass(bare, Struct) and isinstance(value, dict):
        _check_struct(value, bare, path, findings)
    elif origin is list and isinstance(value, list):
        for index, item in enumerate(value):
            _check(item, args[0], (*path, index), findings)
    elif origin is dict and isinstance(value, dict):
        for key, item in value.items():
            if not _fits(key, args[0]):
                what = f"{shown_value(key)} is not {allowed(args[0])}"
                findings.append(Finding((*path, str(key)), what))
            _check(item, args[1], (*path, str(key)), findings)
    elif origin in (Union, types.UnionType) and isinstance(value, dict | list):
        _check_union(value, args, path, findings)
    elif not _fits(value, kind):
        findings.append(Finding(path, f"{_shown(value)} is not {allowed(kind)}"))


def _check_union(value: object, args: Any, path: KeyPath, findings: list[Finding]) -> None:
    """Walk into the one alternative that has the value's shape, so the message is exact."""
    for option in args:
        shape = get_origin(option) or option
        is_struct = isinstance(option, type) and issubclass(option, Struct)
        if (is_struct and isinstance(value, dict)) or shape is type(value):
            _check(value, option, path, findings)
            return
    findings.append(Finding(path, f"{_shown(value)} is not {allowed(Union[args])}"))  # noqa: UP007


def _check_struct(
    value: dict[object, object], kind: type[Struct], path: KeyPath, findings: list[Finding]
) -> None:
    fields = hints(kind)
    for key, item in value.items():
        name = str(key)
        if name not in fields or not isinstance(key, str):
            findings.append(Finding((*path, name), *_unknown(name, fields)))
            continue
        _check(item, fields[name], (*path, name), findings)
    required = [f.name for f in msgspec.structs.fields(kind) if f.required]
    for name in required:
        if name not in value:
            what = f"the key '{name}' is missing: {allowed(fields[name])}"
            findings.append(Finding(path, what))


def _unknown(name: str, fields: dict[str, Any]) -> tuple[str, str]:
    guess = nearest(name.replace("-", "_"), fields)
    what = f"unknown key {shown_value(name)}"
    if guess:
        return f"{what}; did you mean '{guess}'?", ""
    return what, f"the keys here are {', '.join(sorted(fields))}"


def _fits(value: object, kind: Any) -> bool:
    # `$` of a pattern also matches before a last newline, which must not reach a config file.
    if isinstance(value, str) and _has_pattern(kind) and not value.isprintable():
        return False
    try:
        msgspec.convert(value, kind, strict=False)
    except (msgspec.ValidationError, RecursionError, OverflowError):
        return False
    return True


def _has_pattern(kind: Any) -> bool:
    if get_origin(kind) is Annotated:
        return any(isinstance(m, Meta) and m.pattern for m in get_args(kind)[1:])
    if get_origin(kind) in (Union, types.UnionType):
        return any(_has_pattern(option) for option in get_args(kind))
    return False


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    return shown_value(value)
