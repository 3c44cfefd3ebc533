"""The list of false alarms."""

from __future__ import annotations

import pytest

from geartrain.errors import InvalidError
from geartrain.server.leaks.allowed import parse


def test_it_names_a_file_or_one_secret_in_it() -> None:
    one, every = parse("""
        [[allowed]]
        path = "a/key.pem"
        mark = "0123456789ab"
        why = "a test's"
        [[allowed]]
        path = "tests/*"
        why = "all made up"
    """)
    assert one.covers("a/key.pem", "0123456789ab")
    assert not one.covers("a/key.pem", "ba9876543210")
    assert not one.covers("b/key.pem", "0123456789ab")
    assert every.covers("tests/deep/key.pem", "0123456789ab")
    assert not every.covers("key.pem", "0123456789ab")
    assert parse("") == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[allowed]]\npath = 1\nwhy = ''", "gear.leaks.toml: Expected `str`, got `int`: allowed"),
        ("[[allowed]]\npath = 'x'", "missing required field `why`"),
        ("[[allowed]]\npath = 'x'\nwhy = ' '", "no reason is given for x"),
        ("[[allowed]]\npath = 'x'\nwhy = 'y'\nmrak = 'z'", "unknown field `mrak`"),
        ("[allow]", "unknown field `allow`"),
        ("allowed = [\nx", "line 2"),
        ("a = " + "[" * 5000, "gear.leaks.toml"),
    ],
)
def test_a_mistake_in_it_is_told(text: str, said: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse(text)
    assert said in str(caught.value)
