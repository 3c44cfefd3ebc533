"""Data stores that Geartrain knows nothing of: they stay while releases come and go."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from geartrain.app.release import InstanceId
from geartrain.engine.protocol import Instance
from tests.dockerd import docker
from tests.engine.docker.conftest import Place
from tests.engine.docker.releasing import Shop
from tests.engine.docker.test_failures import get

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("docker_daemon")]

COMPOSE = """\
services:
  web: { build: ., command: "python program.py good 8080", ports: ["80:8080"],
         x-gear: { port: 8080, health: / }, depends_on: [store] }
  store: { image: "python:3.12-slim", command: "python /srv/store.py", expose: [7000],
           volumes: ["state:/state", "./store.py:/srv/store.py:ro"] }
volumes: { state: {} }
"""
STORE = """\
import http.server, pathlib

starts = pathlib.Path("/state/starts")
starts.write_text((starts.read_text() if starts.exists() else "") + "x")


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"started {len(starts.read_text())}".encode())


http.server.ThreadingHTTPServer(("0.0.0.0", 7000), Answer).serve_forever()
"""


@pytest.fixture(scope="module")
def shop(docker_daemon: None, places: Callable[[], Place]) -> tuple[Place, Shop]:
    place = places()
    made = place.app("shop", COMPOSE, **{"store.py": STORE})
    made.release()
    return place, made


def store(shop: Shop) -> Instance:
    found = shop.engine().observe().find(InstanceId(service="store"))
    assert found
    return found


def test_a_push_leaves_it_alone(shop: tuple[Place, Shop]) -> None:
    place, made = shop
    before = store(made)
    assert before.state == "ready"
    assert get(place, "/ask/store:7000") == "started 1"
    (made.source / "program.py").write_text((made.source / "program.py").read_text() + "\n")
    made.release()
    after = store(made)
    assert (after.pid, after.since) == (before.pid, before.since)
    assert not any("store" in step for step in made.said.seconds)
    assert get(place, "/ask/store:7000") == "started 1"


def test_a_change_of_what_it_is_given_interrupts_it_and_says_so(shop: tuple[Place, Shop]) -> None:
    place, made = shop
    (made.source / "store.py").write_text(STORE.replace("started", "began"))
    made.release()
    assert "restart store with its new definition (connections break)" in made.said.seconds
    assert "store is made anew: connections to it break now" in made.said.lines
    assert get(place, "/ask/store:7000") == "began 2", "with the data from before"
    made.release()
    assert get(place, "/ask/store:7000") == "began 2"


def test_one_that_was_of_a_release_ends_before_its_data_is_taken_over(
    shop: tuple[Place, Shop],
) -> None:
    place, made = shop
    compose = made.source / "docker-compose.yml"
    # A store that calls the release is of the release.
    calling = "expose: [7000], environment: { CALLS: 'http://web:8080' },"
    compose.write_text(
        COMPOSE.replace("expose: [7000],", calling).replace(", depends_on: [store]", "")
    )
    made.release()
    assert made.engine().observe().find(InstanceId(service="store")) is None
    assert get(place, "/ask/store:7000") == "began 3"
    compose.write_text(COMPOSE)
    made.release()
    assert store(made).state == "ready"
    (step,) = [step for step in made.said.seconds if step.startswith("stop store.")]
    assert "it outlives releases from now on" in step
    assert get(place, "/ask/store:7000") == "began 4"


def test_it_ends_with_the_app(shop: tuple[Place, Shop]) -> None:
    place, made = shop
    made.engine().down()
    label = f"--filter=label=geartrain.host={place.host.facts.id}"
    assert docker("ps", "--all", "--quiet", label) == ""
    assert docker("network", "ls", "--quiet", label) == ""
    made.engine().erase()
    assert docker("volume", "ls", "--quiet", label) == ""
