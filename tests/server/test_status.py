"""`gear status`: every app of a host at a glance."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import until
from tests.server.pushing import Clone


@pytest.mark.slow
def test_every_app_is_shown_with_what_is_wrong(shop: Clone, tmp_path: Path) -> None:
    shop.host.create("empty")
    shop.push()
    fine = shop.host.gear("status")
    assert [line.split() for line in fine.out.splitlines()[1:]] == [
        ["empty", "none", "empty"],
        [shop.app, "1", "ok", f"http://localhost:{shop.port}"],
    ]

    # What starts next fails until it is given up.
    (shop.state / "releases" / "1" / "src" / "app.py").write_text("raise SystemExit(9)")
    shop.get("/crash")
    until(lambda: shop.host.gear("status", code=None).code == 1, "it is seen")
    until(lambda: "ended with exit code 9" in shop.host.gear("status", code=None).out, "and why")
    told = {one["app"]: one for one in shop.host.gear("status", "--json", code=1).json()}
    assert told[shop.app]["state"] == "trouble"
    assert told[shop.app]["troubles"][0].startswith("web.1.1 ")

    shop.gear("down")
    assert f"{shop.app}  1" in shop.host.gear("status").out.replace("   ", "  ")
    assert {one["state"] for one in shop.host.gear("status", "--json").json()} == {
        "empty",
        "stopped",
    }
