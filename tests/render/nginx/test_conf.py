"""nginx's language, read and written."""

from __future__ import annotations

import json
from pathlib import Path

import crossplane
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geartrain.errors import InvalidError
from geartrain.render.nginx.conf import Directive, parse, write

from .own_configs import CONFIGS

FILES = sorted(path for path in CONFIGS.rglob("*") if path.is_file())


def shape(directives: tuple[Directive, ...]) -> list[object]:
    return [
        [d.name, list(d.values), d.place.line if d.place else 0, shape(d.block or ())]
        for d in directives
    ]


def crossplane_shape(block: list[dict[str, object]]) -> list[object]:
    found: list[object] = []
    for one in block:
        args = one["args"]
        assert isinstance(args, list)
        inner = one.get("block", [])
        assert isinstance(inner, list)
        # crossplane takes the parentheses of `if` away.
        args = ["(" + args[0], *args[1:-1], args[-1] + ")"] if one["directive"] == "if" else args
        found.append([one["directive"], args, one["line"], crossplane_shape(inner)])
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONFIGS)))
def test_it_reads_what_crossplane_reads(path: Path) -> None:
    told = crossplane.parse(
        str(path), single=True, check_ctx=False, check_args=False, strict=False, comments=False
    )
    assert told["status"] == "ok", json.dumps(told["errors"])
    assert shape(parse(path.read_text(), "f")) == crossplane_shape(told["config"][0]["parsed"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONFIGS)))
def test_reading_what_was_written_changes_nothing(path: Path) -> None:
    first = parse(path.read_text(), "f")
    text = "".join(f"{line.text}\n" for line in write(first))
    again = parse(text, "f")
    assert [s[:2] for s in shape(again)] == [s[:2] for s in shape(first)]  # type: ignore[index]
    assert "".join(f"{line.text}\n" for line in write(again)) == text


def test_a_quoted_brace_is_a_word() -> None:
    (one,) = parse("a '{' \"};\" $b${c}d \\;;", "f")
    assert one.values == ("{", "};", "$b${c}d", "\\;")


def test_lines_count_through_quotes_and_comments() -> None:
    *_, last = parse("a 'x\ny'; # ; {\n\nb;", "f")
    assert str(last.place) == "f:4"


@given(st.text(alphabet="ab {};'\"\\$#\n", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        first = parse(text, "f")
    except InvalidError:
        return
    written = "".join(f"{line.text}\n" for line in write(first))
    assert [d.values for d in parse(written, "f")] == [d.values for d in first]
