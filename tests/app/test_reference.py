"""The documentation that comes from the model is the model's."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from geartrain.app import policy, reference, schema
from geartrain.app.keys import SERVICE_KEYS

DOCS = Path(__file__).parents[2] / "docs"
HINT = "run `python docs/generate.py`"


def test_the_schema_is_current() -> None:
    assert (DOCS / "x-gear.schema.json").read_text() == schema.text(), HINT


def test_the_reference_is_current() -> None:
    page = (DOCS / "compose-reference.md").read_text()
    assert reference.page(page) == page, HINT


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(LookupError, match="markers of x-gear app"):
        reference.page("nothing here")


@pytest.mark.parametrize(
    "kind", [policy.AppPolicy, policy.ServicePolicy, policy.Route, policy.Embedded]
)
def test_every_key_is_described(kind: type[msgspec.Struct]) -> None:
    definition = json.loads(schema.text())["$defs"][kind.__name__]
    assert set(definition["properties"]) == set(kind.__struct_fields__)
    assert all(prop["description"] for prop in definition["properties"].values())
    assert definition["additionalProperties"] is False


def test_every_standard_key_says_what_it_does() -> None:
    assert all(key.says.endswith(".") for key in SERVICE_KEYS.values())
