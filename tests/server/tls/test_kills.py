"""`kill -9` of a certificate's switch at every boundary: the old one or the new one is served."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from geartrain.engine.certificates import Store
from tests.cli.running import PATIENCE, SOURCE
from tests.server.pushing import Clone
from tests.server.tls.asking import https, load, serial
from tests.server.tls.conftest import SHOP
from tests.server.tls.pem import Authority

pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("docker_daemon"),
    pytest.mark.timeout(900),
]
KILLED = Path(__file__).parent / "killed_gear.py"
ROOT = Path(__file__).parents[3]
Served = tuple[Clone, Clone, int]


def set_killed(shop: Clone, ca: Authority, at: int, log: Path) -> tuple[int, int]:
    """Set a new certificate and be killed at a moment; its serial number, and the exit code."""
    pair = ca.give(SHOP)
    words = ["tls", "set", SHOP, "--cert", str(pair.cert), "--key", str(pair.key)]
    own = {"KILL_AT": str(at), "KILL_LOG": str(log), "PYTHONPATH": f"{SOURCE}:{ROOT}"}
    done = subprocess.run(
        [sys.executable, KILLED, *words], capture_output=True, text=True, timeout=2 * PATIENCE,
        env=shop.host.environment(own), check=False,
    )  # fmt: skip
    assert done.returncode in (0, -signal.SIGKILL), done.stdout + done.stderr
    return pair.serial, done.returncode


def test_after_a_kill_at_any_boundary_one_of_both_is_served(
    two: Served, ca: Authority, tmp_path: Path
) -> None:
    shop, _, port = two
    store = Store(shop.host.folder / "edge" / "tls")
    met: list[str] = []
    with load(port, SHOP, ca.file, 2) as seen:
        for at in range(1, 40):
            before = serial(port, SHOP)
            log = tmp_path / f"{at}.log"
            new, code = set_killed(shop, ca, at, log)
            assert serial(port, SHOP) in (before, new), met
            if code == 0:
                assert serial(port, SHOP) == new
                break
            met.append(log.read_text().splitlines()[-1])
            shop.gear("converge")
            # What was stored is what is served then, without a further step.
            kept = store.files(store.every()[SHOP].fingerprint)
            assert all(path.exists() for path in kept), met
            assert https(port, SHOP, ca.file)[0] == 200
            served = serial(port, SHOP)
            assert served == (new if f"{new:x}" in serial_of(kept[0]) else before), met
            assert shop.gear("converge", "--json").json()[0]["steps"] == [], met
        else:
            pytest.fail(f"it never came to its end: {met}")
    sys.stderr.write(f"\n{len(met)} boundaries: {', '.join(met)}; {seen.answered} requests\n")
    assert seen.lost == []
    assert {"before put", "after put", "after prepare", "after point", "after _reload"} <= {*met}
    assert list(shop.host.folder.rglob("edge/tls/certificates/*/*.new")) == []


def serial_of(certificate: Path) -> str:
    from cryptography import x509

    return f"{x509.load_pem_x509_certificates(certificate.read_bytes())[0].serial_number:x}"
