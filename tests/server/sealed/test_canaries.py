"""The search for seeded values finds each form of them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from tests.server.sealed.canaries import Search, canary

VALUE = canary("test")
RAW = VALUE.encode()


FORMS = {
    "raw": RAW,
    "hex": RAW.hex().encode(),
    "quoted": quote(VALUE).encode(),
    "form": quote_plus(VALUE).encode(),
    "json": json.dumps({"a": VALUE}).encode(),
    **{f"base64-{n}": base64.b64encode(b"x" * n + RAW + b"yy") for n in range(6)},
    **{f"urlsafe-{n}": base64.urlsafe_b64encode(b"x" * n + RAW) for n in range(3)},
}


@pytest.mark.parametrize("form", FORMS)
def test_a_value_is_found_in_every_form(form: str, tmp_path: Path) -> None:
    text = FORMS[form]
    search = Search({"X": VALUE})
    assert search.text(b"before" + text + b"after") == ["X"]
    halves = (text[: len(text) // 2], text[len(text) // 2 :])
    assert search.stream(iter(halves)) == ["X"]
    (tmp_path / "file").write_bytes(text)
    assert search.folder(tmp_path) == [f"{tmp_path / 'file'}: X"]


def test_nothing_is_found_where_nothing_is() -> None:
    assert Search({"X": VALUE}).text(canary("test").encode()) == []
