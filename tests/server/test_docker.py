"""The same pushes on a host with Docker: live, refused, back, more copies, converge, gone."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import until
from tests.dockerd import docker
from tests.server.pushing import Clone, hooks, on_docker

pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("docker_daemon"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """An app on a host with Docker; everything of it is gone afterwards."""
    with on_docker(tmp_path_factory.mktemp("docker-push"), "store") as clone:
        clone.write("run.txt", f"{time.time_ns()}")  # no layer of it is in the builder's cache
        clone.commit("a file of this run")
        yield clone


def names(store: Clone) -> list[str]:
    seen = store.gear("ps", "--json", code=None)
    return sorted(one["name"] for one in seen.json()["instances"]) if seen.out else []


def settles(store: Clone, *expected: str) -> None:
    until(lambda: names(store) == sorted(expected), f"exactly {expected} run")


def test_the_life_of_an_app(store: Clone, tmp_path: Path) -> None:
    first = store.push()
    assert "release 1 is live" in first.err
    assert re.search(r"web: 3/3 COPY \. \.  \d+\.\d s", first.err), first.err
    assert store.body() == "hello 1\n"

    store.version("2")
    assert "release 2 is live" in store.push().err
    assert store.body() == "hello 2\n"
    settles(store, "edge", "web.2.1")
    assert store.remote() == store.head()

    app = (store.folder / "app.py").read_text()
    store.write("app.py", "print('reading the queue'); raise SystemExit('no queue')\n")
    store.commit("broken")
    said = store.refused()
    assert "the new version of web failed" in said
    assert "    reading the queue\n" in said
    assert "    no queue\n" in said
    assert "release 2 goes on serving" in said
    settles(store, "edge", "web.2.1")
    assert store.body() == "hello 2\n"
    store.write("app.py", app)
    store.commit("mended")

    store.gear("rollback")
    assert store.body() == "hello 1\n"
    settles(store, "edge", "web.1.1")
    store.push()
    assert store.body() == "hello 2\n"

    store.gear("scale", "web=2")
    live = store.gear("releases", "--json").json()["live"]
    settles(store, "edge", f"web.{live}.1", f"web.{live}.2")
    store.gear("scale", "web=1")
    settles(store, "edge", f"web.{live}.1")

    assert "hello 2 listens" in store.gear("logs", "web").out
    assert store.gear("run", "web", "cat", "VERSION").out == "2\n"
    store.gear("restart", "web")
    assert store.body() == "hello 2\n"

    # Until then a release that is gone is taken back, which is another test's matter.
    until(lambda: not hooks(store), "nobody watches the release any more")
    found = docker("ps", "--quiet", f"--filter=name={store.app}").split()
    docker("rm", "--force", *found)
    until(lambda: store.get()[0] in (0, 502, 504), "it is gone")
    assert store.gear("converge", "--json").json()[0]["steps"]
    assert store.body() == "hello 2\n"
    settles(store, "edge", f"web.{live}.1")
    assert store.gear("converge", "--json").json()[0]["steps"] == []

    store.gear("down")
    assert store.get()[0] in (0, 404)
    store.gear("converge")
    assert store.body() == "hello 2\n"

    assert "stopped" in store.host.gear("host", "stop").out
    assert store.get()[0] == 0
    assert not docker("ps", "--quiet", f"--filter=name={store.app}")
    store.gear("converge")
    assert store.body() == "hello 2\n"


def test_a_host_that_stops_right_after_a_push_keeps_the_release(store: Clone) -> None:
    store.version("3")
    store.push()
    assert hooks(store), "the release is watched"
    store.gear("host", "stop")
    until(lambda: not hooks(store), "nobody watches the release any more")
    assert not docker("ps", "--quiet", f"--filter=name={store.app}")
    said = store.gear("releases", "--json").json()
    assert said["events"][0]["what"] == "live"
    assert said["live"] == said["events"][0]["release"]
    store.gear("converge", "--all")
    assert store.body() == "hello 3\n"
