"""The server as strangers meet it, and what it keeps running for that."""

from __future__ import annotations

import errno
import io
import os
import re
import socket
import subprocess
import sys
import tarfile
from pathlib import Path

from tests import scanner
from tests.lab.laptop import HOST
from tests.lab.site import DOMAIN, Site
from tests.lab.table import Table

WITHIN = 5.0  # seconds for a port to answer or to refuse
OPEN = [22, 80, 443]
WORST = 3.0  # of systemd-analyze security
MOST = 50_000  # kB
# Of each process: program, command line, and its share of memory (proc_pid_smaps(5), Pss).
PROCESSES = r"""for p in /proc/[0-9]*; do
  echo "$(readlink $p/exe) $(tr '\0' ' ' <$p/cmdline)|$(sed -n 's/^Pss: *//p' $p/smaps_rollup)"
done 2>/dev/null"""


def test_only_ssh_and_the_web_are_open(site: Site) -> None:
    assert [port for port in range(1, 65536) if takes(site.address, port)] == OPEN


def takes(address: str, port: int) -> bool:
    """True for a TCP port that takes a connection; one that stays silent is a failure."""
    with socket.socket() as link:
        link.settimeout(WITHIN)
        code = link.connect_ex((address, port))
    assert code in (0, errno.ECONNREFUSED), f"port {port}: {os.strerror(code)}"
    return code == 0


def test_tls_is_as_mozilla_wants_it(site: Site) -> None:
    where = f"{DOMAIN}:443{{{site.address}}}"
    code, said = scanner.scan(scanner.sslyze(), where, site.authority.root, "intermediate")
    assert f"{DOMAIN}:443: OK - Compliant." in said, said
    assert code == 0


def test_gixy_finds_nothing_of_medium_or_above(site: Site, tmp_path: Path) -> None:
    """In what nginx has loaded, taken from the server."""
    where = "/var/lib/geartrain/edge/current"
    packed = subprocess.run(
        ["ssh", f"root@{HOST}", "--", f"tar -C {where}/ -c ."],
        env=site.laptop.environment, capture_output=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(tmp_path, filter="data")
    for path in tmp_path.rglob("*.conf"):
        path.write_text(path.read_text().replace(where, str(tmp_path)))
    names = [path.name for path in (tmp_path / "apps").iterdir()]
    assert "shop.conf" in names
    gixy = Path(sys.executable).parent / "gixy"
    done = subprocess.run(
        [gixy, "-ll", tmp_path / "nginx.conf"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout


def test_what_units_may_do_is_little(site: Site) -> None:
    listed = site.laptop.root("systemctl list-unit-files --no-legend 'geartrain*.service'").out
    units = [line.split()[0] for line in listed.splitlines()]
    assert "geartrain.service" in units
    table = Table("unit", "systemd-analyze security")
    for unit in units:
        name = unit.replace("@.", "@one.")
        said = site.laptop.root(f"systemd-analyze security --no-pager {name}").out
        found = re.search(r"Overall exposure level for \S+ (\d+\.\d+)", said)
        assert found, said
        table.add(unit, found[1])
        assert float(found[1]) <= WORST, said
    table.show()


def test_what_runs_all_the_time_is_small(site: Site) -> None:
    """The share of memory that is Geartrain's: its own processes, and the edge."""
    site.settled()
    table, total = Table("process", "kB"), 0
    for line in site.laptop.root(PROCESSES).out.splitlines():
        command, _, size = line.partition("|")
        size = size.removesuffix(" kB")
        if size and ("nginx" in command or "geartrain" in command):
            table.add(command[:90], size)
            total += int(size)
    table.add("in all", str(total))
    table.show()
    assert 5_000 < total <= MOST
