"""The edge as scanners see it: TLS by Mozilla's guideline, the configuration by gixy."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import scanner
from tests.server.pushing import Clone
from tests.server.tls.conftest import BLOG, SHOP, give
from tests.server.tls.pem import Authority

pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("docker_daemon"),
    pytest.mark.timeout(600),
]
GIXY = shutil.which("gixy", path=str(Path(sys.executable).parent))
Served = tuple[Clone, Clone, int]


@pytest.fixture(scope="module")
def sslyze() -> Path:
    return scanner.sslyze()


def test_mozilla_s_intermediate_profile(two: Served, ca: Authority, sslyze: Path) -> None:
    shop, _, port = two
    for name in (SHOP, BLOG):
        give(shop.host, ca, name)
        where = f"{name}:{port}{{127.0.0.1}}"
        code, said = scanner.scan(sslyze, where, ca.file, "intermediate")
        assert f"{name}:{port}: OK - Compliant." in said, said
        assert code == 0
    # And that the scanner would say so if it were not.
    code, said = scanner.scan(sslyze, f"{SHOP}:{port}{{127.0.0.1}}", ca.file, "modern")
    assert code != 0
    assert "FAILED - Not compliant" in said


@pytest.mark.skipif(GIXY is None, reason="gixy-ng is not installed")
def test_gixy_finds_nothing_of_medium_or_above(two: Served) -> None:
    assert GIXY is not None
    written = two[0].host.folder / "edge" / "current" / "nginx.conf"
    assert len(list((written.parent / "apps").glob("*.conf"))) == 2
    done = subprocess.run([GIXY, "-ll", written], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
