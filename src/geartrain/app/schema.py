"""The JSON Schema of `x-gear`, for editors: `python -m geartrain.app.schema` prints it.

Produced from the policy types; the sentence under each field is its description.
"""

from __future__ import annotations

import ast
import inspect
import json
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct

from geartrain.app import policy

ID = "https://geartrain.dev/x-gear.schema.json"


@cache
def sentences(kind: type[Struct]) -> dict[str, str]:
    """The sentence under each field of a policy type, by field."""
    return _parsed()[kind.__name__]


@cache
def _parsed() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(policy)).body:
        if not isinstance(node, ast.ClassDef):
            continue
        fields: dict[str, str] = {}
        for line, after in zip(node.body, node.body[1:], strict=False):
            if not isinstance(line, ast.AnnAssign) or not isinstance(line.target, ast.Name):
                continue
            said = after.value if isinstance(after, ast.Expr) else None
            if isinstance(said, ast.Constant) and isinstance(said.value, str):
                fields[line.target.id] = " ".join(said.value.split())
        found[node.name] = fields
    return found


def schema() -> dict[str, Any]:
    """The schema (draft 2020-12): `x-gear` at the top and in each service of a Compose file."""
    (app, service), definitions = msgspec.json.schema_components(
        [policy.AppPolicy, policy.ServicePolicy], ref_template="#/$defs/{name}"
    )
    for name, definition in definitions.items():
        kind = getattr(policy, name)
        for field, prop in definition.get("properties", {}).items():
            if text := sentences(kind).get(field):
                prop["description"] = text
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "x-gear keys of a Compose file",
        "type": "object",
        "properties": {
            "x-gear": app,
            "services": {
                "type": "object",
                "additionalProperties": {"type": "object", "properties": {"x-gear": service}},
            },
        },
        "$defs": dict(sorted(definitions.items())),
    }


def text() -> str:
    """The schema as the file has it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(text(), end="")  # noqa: T201  # its result
