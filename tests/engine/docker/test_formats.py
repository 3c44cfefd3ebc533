"""A host whose edge was last written by an older version: it goes on, and is written anew."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from geartrain.engine.docker import edge
from geartrain.errors import GearError
from geartrain.release.steps import Switch
from geartrain.render.nginx.claims import FORMAT
from tests.dockerd import docker
from tests.engine.contract import eventually
from tests.engine.docker.conftest import Place
from tests.engine.docker.test_failures import get

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("docker_daemon")]

COMPOSE = """\
x-gear: {{ domains: [{domain}] }}
services:
  nginx: {{ image: "nginx:latest", ports: ["80:80"] }}
  web: {{ build: ., command: "python program.py good 8080",
         x-gear: {{ port: 8080, routes: [{path}] }} }}
"""
KNOWN = ("app", "release", "domains", "listen", "servers", "drain", "tls", "certificates")
MARK = "# As an older version wrote it."


def written_by_an_older_version(place: Place, name: str) -> Path:
    """Have nginx run with a generation in which an app has a part of the first format."""
    host = place.host
    now = edge.current(host)
    older = host.edge / "older-1-0123abcd"
    shutil.copytree(host.edge / now, older)
    conf = older / "nginx.conf"
    conf.write_text(conf.read_text().replace(now, older.name))
    part, claim = older / "apps" / f"{name}.conf", older / "apps" / f"{name}.json"
    part.write_text(f"{MARK}\n{part.read_text()}")
    known = json.loads(claim.read_text())
    claim.write_text(json.dumps({key: known[key] for key in KNOWN}))
    edge.point(host, older.name)
    docker("kill", "--signal=HUP", host.edge_container)
    eventually(lambda: answers(place) == older.name)
    return older


def answers(place: Place) -> str:
    from geartrain.engine import nginx

    return nginx.generation(place.host.facts.admin)


def part(place: Place, name: str) -> str:
    return (place.host.edge / "current" / "apps" / f"{name}.conf").read_text()


def test_an_older_part_serves_until_it_is_written_anew(places: Callable[[], Place]) -> None:
    place = places()
    old = place.app("old", COMPOSE.format(domain="old.test", path="/"))
    new = place.app("new", COMPOSE.format(domain="new.test", path="/"))
    beside = place.app(
        "beside", COMPOSE.format(domain="old.test", path="{path: /beside, strip: true}")
    )
    old.release()
    new.release()
    written_by_an_older_version(place, "old")
    assert edge.claims(place.host)["old"].format == 0

    lost, asked, stop = [], [0], threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                got = get(place, name="old.test").split()[:2]
            except OSError as error:
                got = [repr(error)]
            asked[0] += 1
            lost.extend([] if got == ["old", "1"] else got)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        # Another app's release leaves it as it is: it is valid beside what is written now.
        (new.source / "program.py").write_text((new.source / "program.py").read_text() + "\n")
        new.release()
        assert part(place, "old").startswith(MARK)
        assert get(place, name="new.test").split()[:2] == ["new", "2"]
        # Nobody knows which paths it has, so that it has all of them.
        with pytest.raises(GearError, match=r"old\.test is claimed by beside and by old"):
            beside.release()

        assert [type(step) for step in old.steps(1)] == [Switch]
        old.release(old.known(1))
        assert old.steps(1) == ()
        assert not part(place, "old").startswith(MARK)
        assert {one.format for one in edge.claims(place.host).values()} == {FORMAT}
        beside.release()
        assert get(place, "/beside", "old.test").split()[:2] == ["beside", str(beside.live)]
        eventually(lambda: asked[0] > 50)
    finally:
        stop.set()
        thread.join()
    assert lost == []
