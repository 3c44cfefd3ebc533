"""When a certificate is due, and what is said when there is none."""

from __future__ import annotations

import pytest
from acme import errors, messages
from msgspec.structs import replace

from geartrain.engine.certificates import DAY, Certificate, Settings, Source
from geartrain.errors import GearError
from geartrain.server.acme import _said
from geartrain.server.renewal import is_due

ONE = Certificate(
    domain="a.test", fingerprint="f", names=("a.test",), since=0.0, until=90 * DAY, issuer="CA",
    source=Source.ACME,
)  # fmt: skip


def test_the_last_third_of_a_life_is_for_renewal() -> None:
    assert is_due(None, 0.0)
    assert not is_due(ONE, 59 * DAY)
    assert is_due(ONE, 61 * DAY)
    assert is_due(replace(ONE, until=6 * DAY), 4.1 * DAY)
    assert not is_due(replace(ONE, source=Source.OWN), 89 * DAY)


def test_fourteen_days_before_the_end_it_is_told() -> None:
    assert not ONE.ends_soon(75 * DAY)
    assert ONE.ends_soon(77 * DAY)
    assert ONE.warning(77 * DAY) == "the certificate of a.test ends in 13 days, on 1970-04-01"
    assert ONE.warning(91 * DAY) == "the certificate of a.test ended on 1970-04-01"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            messages.Error.with_code("rateLimited", detail="too many certificates"),
            "https://ca.test/dir takes no more requests for now: too many certificates",
        ),
        (
            messages.Error.with_code("rejectedIdentifier", detail="policy"),
            "https://ca.test/dir refuses: policy",
        ),
        (errors.TimeoutError(), "https://ca.test/dir did not decide about a.test within 90 s"),
    ],
)
def test_an_authority_s_errors_are_told(error: Exception, said: str) -> None:
    with (
        pytest.raises(GearError) as caught,
        _said(Settings(directory="https://ca.test/dir"), "a.test"),
    ):
        raise error
    assert caught.value.what == said
