"""Certificates are renewed and exchanged while clients keep their connections busy."""

from __future__ import annotations

from pathlib import Path

from tests.lab.site import DOMAIN, Site
from tests.lab.table import Table
from tests.server.tls.asking import load, serial
from tests.server.tls.pem import Authority


def test_no_request_is_lost_when_the_certificate_changes(site: Site, tmp_path: Path) -> None:
    own = Authority(tmp_path)
    pair = own.give(DOMAIN)
    both = tmp_path / "both.pem"
    both.write_bytes(site.authority.root.read_bytes() + own.file.read_bytes())
    for file in (pair.cert, pair.key):
        site.laptop.root(f"cat > /etc/ssl/{file.name}", stdin=file.read_text())
    first = serial(443, DOMAIN, site.address)
    table = Table("certificate", "requests", "connections", "lost")
    with load(443, DOMAIN, both, address=site.address) as seen:
        site.laptop.gear("tls", "renew", DOMAIN)
    table.add("renewed", str(seen.answered), str(seen.connections), str(len(seen.lost)))
    second = serial(443, DOMAIN, site.address)
    try:
        with load(443, DOMAIN, both, address=site.address) as more:
            site.laptop.gear("tls", "set", DOMAIN, "--cert", "/etc/ssl/cert.pem", "--key",
                             "/etc/ssl/key.pem", user="root")  # fmt: skip
        table.add("exchanged", str(more.answered), str(more.connections), str(len(more.lost)))
        table.show()
        assert serial(443, DOMAIN, site.address) == pair.serial
    finally:
        site.laptop.gear("tls", "remove", DOMAIN, user="root")
        site.laptop.gear("tls", "renew", DOMAIN, user="root")
    assert second != first
    assert (seen.lost, more.lost) == ([], [])
    assert min(seen.connections, more.connections) > 4, "none met the new certificate"
