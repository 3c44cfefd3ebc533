"""Which files are secrets by their name."""

from __future__ import annotations

import pytest

from geartrain.server.leaks.names import kind


@pytest.mark.parametrize("path", [".env", "web/.env", ".env.local", "web/.env.production", ".ENV"])
def test_a_file_with_values_of_one_machine(path: str) -> None:
    assert kind(path, "# here\nexport KEY='value'\n")
    assert kind(path, "EMPTY=\nKEY=1")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (".env", ""),
        (".env", "# nothing yet\nKEY=\nOTHER=''\nLAST=  # later\n"),
        (".env.example", "KEY=1"),
        (".env.local.sample", "KEY=1"),
        ("env", "KEY=1"),
        (".envrc.md", "KEY=1"),
        ("web.env", "KEY=1"),
        ("environment.py", "KEY=1"),
    ],
)
def test_a_file_that_is_for_everybody(path: str, text: str) -> None:
    assert kind(path, text) == ""


def test_a_store_of_keys() -> None:
    assert kind("tls/site.p12", None)
    assert kind("release.KEYSTORE", None)
    assert not kind("p12.md", "about them")
