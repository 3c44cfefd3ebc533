"""An app that is not Python's, with files as others write them, goes the same way."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.server.pushing import Clone, on_docker

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(600),
    pytest.mark.usefixtures("docker_daemon"),
]


@pytest.fixture
def greeter(docker_daemon: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    with on_docker(tmp_path_factory.mktemp("node"), "greeter", "express") as clone:
        yield clone


def test_the_life_of_an_app_of_node(greeter: Clone) -> None:
    first = greeter.push().err
    assert f"live at http://localhost:{greeter.port} after" in first
    assert greeter.body() == "hello 1\n"

    greeter.write("greeting.js", 'module.exports = "hello 2";\n')
    greeter.commit("code alone")
    assert "release 2 is live" in greeter.push().err
    assert greeter.body() == "hello 2\n"

    package = json.loads((greeter.folder / "package.json").read_text())
    package["dependencies"]["left-out-of-the-lock"] = "^1.0.0"
    greeter.write("package.json", json.dumps(package))
    greeter.commit("npm's lock does not have it")
    said = greeter.refused()
    assert "Dockerfile:4" in said
    assert "npm ci" in said
    assert "left-out-of-the-lock" in said
    assert "release 2 goes on serving" in said
    assert greeter.body() == "hello 2\n"
    greeter.git("reset", "--quiet", "--hard", "HEAD~1")

    greeter.write("greeting.js", 'throw new Error("no greeting today");\n')
    greeter.commit("ends at once")
    said = greeter.refused()
    assert "Error: no greeting today" in said
    assert "release 2 goes on serving" in said
    assert greeter.body() == "hello 2\n"

    greeter.gear("rollback")
    assert greeter.body() == "hello 1\n"
    seen = {one["name"]: one["state"] for one in greeter.gear("ps", "--json").json()["instances"]}
    assert seen["web.1.1"] == "ready"
