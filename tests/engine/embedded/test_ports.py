"""Which ports a project gets here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import geartrain
from geartrain.app.routes import Site
from geartrain.engine.embedded.host import Host
from geartrain.engine.embedded.ports import choose
from tests.ports import free_port

CHOOSES = """
import sys
from pathlib import Path
from geartrain.app.routes import Site
from geartrain.engine.embedded.host import Host
from geartrain.engine.embedded.ports import choose

host = Host(Path(sys.argv[1]))
host.create()
choose(host, [Site(port=int(sys.argv[2]))], set())
print(*host.facts.ports.values(), flush=True)
sys.stdin.read()  # its nginx does not listen yet
"""


def host_in(folder: Path) -> Host:
    folder.mkdir()
    host = Host(folder)
    host.create()
    return host


def test_a_port_that_another_first_start_has_chosen_is_left_to_it(tmp_path: Path) -> None:
    port = free_port()
    other = tmp_path / "other"
    other.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", CHOOSES, other, str(port)], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(geartrain.__file__).parents[1])},
    ) as starting:  # fmt: skip
        assert starting.stdout
        assert int(starting.stdout.readline()) == port
        late = host_in(tmp_path / "late")
        (said,) = choose(late, [Site(port=port)], set())
        assert late.facts.ports[str(port)] > port
        assert said.startswith(f"port {port} is another project's: this is on ")
        starting.kill()
    again = host_in(tmp_path / "again")
    assert choose(again, [Site(port=port)], set()) == ()
    assert again.facts.ports[str(port)] == port, "who is gone has it no more"
