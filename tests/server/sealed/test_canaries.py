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


@pytest.mark.parametrize(
    "text",
    [
        RAW,
        RAW.hex().encode(),
        quote(VALUE).encode(),
        quote_plus(VALUE).encode(),
        json.dumps({"a": VALUE}).encode(),
        *(base64.b64encode(b"x" * before + RAW + b"yy") for before in range(6)),
        *(base64.urlsafe_b64encode(b"x" * before + RAW) for before in range(3)),
    ],
)
def test_a_value_is_found_in_every_form(text: bytes, tmp_path: Path) -> None:
    search = Search({"X": VALUE})
    assert search.text(b"before" + text + b"after") == ["X"]
    halves = (text[: len(text) // 2], text[len(text) // 2 :])
    assert search.stream(iter(halves)) == ["X"]
    (tmp_path / "file").write_bytes(text)
    assert search.folder(tmp_path) == [f"{tmp_path / 'file'}: X"]


def test_nothing_is_found_where_nothing_is() -> None:
    assert Search({"X": VALUE}).text(canary("test").encode()) == []
