"""The images that a Dockerfile names, and others put in their place."""

from __future__ import annotations

import pytest

from geartrain.load import bases

STAGES = """\
# syntax=docker/dockerfile:1
ARG VERSION=3.12
FROM --platform=$BUILDPLATFORM node:20 AS front
RUN npm run build
FROM python:${VERSION}-slim AS build
COPY --from=ghcr.io/astral-sh/uv:0.9 /uv /bin/uv
RUN --mount=type=bind,from=nginx,target=/e \\
    # a comment in between

    pip install flask
FROM unused:1 AS other
FROM build AS tests
RUN pytest
FROM python:${VERSION}-slim
COPY --from=build /app /app
COPY --from=front /dist /dist
COPY --from=0 /x /x
"""


def test_what_the_last_stage_needs() -> None:
    assert bases.named(STAGES) == (
        "python:3.12-slim",
        "ghcr.io/astral-sh/uv:0.9",
        "nginx",
        "node:20",
    )
    assert bases.named(STAGES, args={"VERSION": "3.11"})[0] == "python:3.11-slim"
    assert bases.named(STAGES, target="Other") == ("unused:1",)
    assert bases.named(STAGES, target="front") == ("node:20",)
    assert bases.frontend(STAGES) == "docker/dockerfile:1"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FROM scratch\n", ()),
        ("FROM python\n", ("python",)),
        ("from python as python\nfrom python\n", ("python",)),
        ("# FROM no\n\nFROM \\\n  python:3 \\\n  AS x\n", ("python:3",)),
        ("# escape=`\nFROM a`\n:b\n", ("a:b",)),
        ("FROM a\nRUN <<EOF\nFROM b\nEOF\n", ("a",)),
        ("FROM a\nRUN <<ONE <<'TWO'\nFROM b\nONE\nFROM c\nTWO\nCOPY --from=d / /\n", ("a", "d")),
        ("FROM a\nRUN echo $((1<<2)) <<<x\nCOPY --from=b / /\n", ("a", "b")),
        ("FROM a\nRUN cat <<EOF\nCOPY --from=b / /\n", ("a", "b")),
        ("ARG X\nFROM ${X:-a}\n", ("a",)),
        ("", ()),
    ],
)  # fmt: skip
def test_forms(text: str, found: tuple[str, ...]) -> None:
    assert bases.named(text) == found


def test_other_images_in_their_place() -> None:
    names = {
        "python:3.12-slim": "geartrain/python:3.12-slim",
        "ghcr.io/astral-sh/uv:0.9": "local/uv",
        "nginx": "geartrain/nginx:latest",
        "build": "never",  # a stage of the file goes before an image of that name
    }
    made = bases.fitted(STAGES, images=names, frontend=False, mounts=["type=secret,id=pip"])
    assert (
        made
        == """\
#
ARG VERSION=3.12
FROM --platform=$BUILDPLATFORM node:20 AS front
RUN --mount=type=secret,id=pip npm run build
FROM geartrain/python:3.12-slim AS build
COPY --from=local/uv /uv /bin/uv
RUN --mount=type=secret,id=pip --mount=type=bind,from=geartrain/nginx:latest,target=/e \\
    # a comment in between

    pip install flask
FROM unused:1 AS other
FROM build AS tests
RUN --mount=type=secret,id=pip pytest
FROM geartrain/python:3.12-slim
COPY --from=build /app /app
COPY --from=front /dist /dist
COPY --from=0 /x /x
"""
    )


def test_nothing_changes_without_a_reason() -> None:
    assert bases.fitted(STAGES, images={"python:3.12-slim": "python:3.12-slim"}) == STAGES


def test_lines_stay_where_they_are() -> None:
    made = bases.fitted("FROM \\\n  a \\\n  AS x\nRUN y\n", images={"a": "b"})
    assert made == "FROM b AS x\n\n\nRUN y\n"
