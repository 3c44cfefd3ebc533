"""The node stand-in, as Dockerfiles and Compose files use the official image."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.docker.images.conftest import Run

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

NAME = "node:22-slim"


def test_the_programs(run: Run) -> None:
    container = run(NAME, command=("sleep", "60"))
    assert container.run("node", "--version").startswith("v22.")
    for name in ("npm", "npx"):
        assert container.run(name, "--version")[0].isdigit()
    assert container.run("id", "node") == "uid=1000(node) gid=1000(node) groups=1000(node)"
    container.run("npm", "install", "--prefix", "/tmp/app", "is-odd@3.0.1")
    ask = "console.log(require('/tmp/app/node_modules/is-odd')(3))"
    assert container.run("node", "-e", ask) == "true"


@pytest.mark.parametrize(
    "command",
    [("/app/x.js", "a b"), ("node", "/app/x.js", "a b"), ("--trace-uncaught", "/app/x.js", "a b")],
)
def test_node_may_be_left_out(run: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "x.js").write_text("console.log('ran with ' + process.argv[2])\n")
    container = run(NAME, "--user", "node", "-v", f"{tmp_path}:/app:ro", command=command)
    assert container.ends() == 0
    assert container.logs() == "ran with a b\n"
