"""Names that are safe where they will stand."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geartrain.app.names import app_name, check_alias, check_image, check_name


@pytest.mark.parametrize("name", ["web", "web-1", "my_app", "a.b", "_x", "1", "a" * 63])
def test_safe_names(name: str) -> None:
    assert check_name("service", name, ()) == []


@pytest.mark.parametrize(
    "name", ["", ".", "..", "-rf", ".git", "a/b", "a b", "a\n", "a;b", "ä", "a" * 64, "a\0"]
)
def test_unsafe_names(name: str) -> None:
    assert len(check_name("service", name, ())) == 1


@pytest.mark.parametrize("name", ["", "-a", "a b", "a;", "a\n", "a..", "{", "a" * 254])
def test_unsafe_aliases(name: str) -> None:
    assert check_alias(name, ()) != []


@pytest.mark.parametrize(
    "image",
    [
        "postgres",
        "postgres:16",
        "ghcr.io/team/app:v1.2",
        "localhost:5000/a/b",
        f"redis@sha256:{'0' * 64}",
        "docker.io/library/nginx:1.27-alpine",
    ],
)
def test_image_names(image: str) -> None:
    assert check_image(image, ()) == []


@pytest.mark.parametrize("image", ["", "a b", "a\n", "-a:;", "a:", "$(x)", "a@sha256:0", "A/../b;"])
def test_what_is_no_image_name(image: str) -> None:
    assert check_image(image, ()) != []


@pytest.mark.parametrize(
    ("text", "name"),
    [("My Shop", "my-shop"), ("2048", "app-2048"), ("__", "app"), ("日本", "app"), ("a_b", "a-b")],
)
def test_app_names(text: str, name: str) -> None:
    assert app_name(text) == name


@given(st.text())
def test_an_app_name_is_always_safe(text: str) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9-]{0,39}", app_name(text))
