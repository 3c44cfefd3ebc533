"""The key tables of `docs/compose-reference.md`; `python docs/generate.py` writes them.

Written between the markers `<!-- name -->` and `<!-- /name -->` of the page, so
that its prose stays as it is.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from geartrain.app import policy, schema, xgear
from geartrain.app.keys import SERVICE_KEYS, TOP_KEYS, Effect, Key


def page(text: str) -> str:
    """The page with its tables made new.

    Raises:
        LookupError: a marker is missing.
    """
    for name, table in tables().items():
        start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        if text.count(start) != 1 or text.count(end) != 1:
            raise LookupError(f"the page needs the markers of {name} once")
        head, rest = text.split(start)
        text = head + start + table + rest[rest.index(end) :]
    return text


def tables() -> dict[str, str]:
    """Each generated table, by its marker."""
    found = {
        "x-gear app": _policy(policy.AppPolicy),
        "x-gear service": _policy(policy.ServicePolicy),
        "x-gear route": _policy(policy.Route),
        "x-gear embedded": _policy(policy.Embedded),
        "top keys": _keys(TOP_KEYS, with_effect=True),
    }
    for effect in Effect:
        keys = {name: key for name, key in SERVICE_KEYS.items() if key.effect is effect}
        found[f"keys {effect.name.lower()}"] = _keys(keys)
    return found


def _policy(kind: type[Struct]) -> str:
    rows = ["| key | what it takes | default | what it does |", "|---|---|---|---|"]
    hints, says = xgear.hints(kind), schema.sentences(kind)
    for field in msgspec.structs.fields(kind):
        takes = xgear.allowed(hints[field.name]).replace("|", "\\|")
        rows.append(f"| `{field.name}` | {takes} | {_default(field)} | {says[field.name]} |")
    return "\n".join(rows) + "\n"


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    if field.default in (None, msgspec.NODEFAULT):
        return ""
    value = str(field.default).lower() if isinstance(field.default, bool) else field.default
    return f"`{value}`"


def _keys(keys: dict[str, Key], *, with_effect: bool = False) -> str:
    head = "| key | effect | |" if with_effect else "| key | |"
    rows = [head, "|---" * head.count(" |") + "|"]
    for name, key in keys.items():
        middle = f" {key.effect.value} |" if with_effect else ""
        rows.append(f"| `{name}` |{middle} {key.says} |")
    return "\n".join(rows) + "\n"
