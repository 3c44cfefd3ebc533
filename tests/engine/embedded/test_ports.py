"""Which ports a project gets here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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


LISTENS = """
import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))):
    print("listens", flush=True)
    sys.stdin.read()
"""


@contextmanager
def edge_of(host: Host, port: int) -> Iterator[None]:
    """What counts as the nginx of a project: it works in the folder of its edge."""
    edge = host.folder / "edge"
    edge.mkdir(exist_ok=True)
    with subprocess.Popen(
        [sys.executable, "-c", LISTENS, str(port)], cwd=edge, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as running:  # fmt: skip
        assert running.stdout
        assert running.stdout.readline() == "listens\n"
        yield
        running.kill()


def test_a_project_keeps_its_port_while_an_nginx_of_its_own_is_left(tmp_path: Path) -> None:
    """Its supervisor died in this moment, so that nobody tells of it."""
    port = free_port()
    mine, other = host_in(tmp_path / "mine"), host_in(tmp_path / "other")
    assert choose(mine, [Site(port=port)], set()) == ()
    with edge_of(mine, port):
        assert choose(mine, [Site(port=port)], set()) == ()
        assert choose(other, [Site(port=port)], set()) != ()
    assert mine.facts.ports[str(port)] == port
    assert other.facts.ports[str(port)] != port
