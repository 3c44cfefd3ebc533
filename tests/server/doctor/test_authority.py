"""Whether who gives certificates can be asked, and what its clock says of this machine's."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from geartrain.engine.certificates import Settings
from geartrain.server import clock
from geartrain.server.doctor.authority import authority
from tests.ports import free_port
from tests.server.tls.fake_acme import fake
from tests.server.tls.pem import Authority


def test_it_is_asked_only_where_certificates_are_asked_for() -> None:
    assert list(authority(Settings(directory="http://127.0.0.1:9/dir"))) == []


def test_one_that_answers_and_one_with_another_time(tmp_path: Path) -> None:
    with fake(Authority(tmp_path)) as one:
        settings = Settings(acme=True, directory=f"{one.url}/dir")
        assert [(f.what, f.ok) for f in authority(settings)] == [
            (f"{one.url}/dir answers", True),
            (f"the clock agrees with that of {one.url}/dir", True),
        ]
        one.ahead = 7200.0
        _, found = authority(settings)
        assert found.what == f"this machine's clock is 2 hours behind that of {one.url}/dir"
        assert (found.ok, found.remedy) == (False, clock.REMEDY)
        one.status = 500
        [found] = authority(settings)
        assert (found.ok, "500" in found.what) == (False, True)


def test_one_that_cannot_be_asked() -> None:
    url = f"http://127.0.0.1:{free_port()}/dir"
    [found] = authority(Settings(acme=True, directory=url))
    assert not found.ok
    assert found.what.startswith(f"{url}, which certificates are asked of, gives no answer: ")
    assert "--directory URL" in found.remedy
    assert not next(authority(replace(Settings(acme=True), directory="nonsense"))).ok
