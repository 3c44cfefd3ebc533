"""`gear doctor --server`, on hosts that run."""

from __future__ import annotations

import json
import os
import re
import socket
from pathlib import Path

import pytest

from geartrain.engine.docker.host import FILE, DockerHost
from tests.dockerd import docker
from tests.server.pushing import HostFolder, clone_of, on_docker


def test_a_host_of_processes(host: HostFolder) -> None:
    done = host.gear("doctor", "--server", "--json", code=None)
    found = done.json()
    assert done.code == (0 if all(one["ok"] for one in found) else 4)
    assert [one for one in found if re.search(r"GB are free for .*the host", one["what"])]
    assert not [one for one in found if "Docker" in one["what"]]
    shown = host.gear("doctor", "--server", code=done.code).out.splitlines()
    assert [line[:1] for line in shown if line[:1] != " "] == [
        "✓" if one["ok"] else "✗" for one in found
    ]


def test_there_is_no_host(tmp_path: Path) -> None:
    done = HostFolder(tmp_path / "none").gear("doctor", "--server", code=4)
    assert "there is no host here" in done.err


def test_a_domain_that_leads_nowhere(host: HostFolder, tmp_path: Path) -> None:
    shop = clone_of(host, "shop", tmp_path)
    text = (shop.folder / "docker-compose.yml").read_text()
    shop.write("docker-compose.yml", f"x-gear: {{domains: [shop.invalid]}}\n{text}")
    shop.commit()
    shop.push()
    said = host.gear("doctor", "--server", code=4).out
    assert "✗ shop.invalid has no address" in said
    assert "→ an A or AAAA record at whoever keeps the domain's DNS" in said


@pytest.mark.docker
@pytest.mark.usefixtures("docker_daemon")
def test_a_host_with_docker(tmp_path: Path) -> None:
    version = docker("version", "--format", "{{.Server.Version}}")
    with on_docker(tmp_path, "doctor") as shop:
        facts = shop.host.folder / FILE
        facts.write_text(json.dumps(json.loads(facts.read_text()) | {"ports": {"80": shop.port}}))

        def found() -> dict[str, bool]:
            done = shop.gear("doctor", "--server", "--json", code=None)
            return {one["what"]: one["ok"] for one in done.json()}

        before = found()
        assert before[f"Docker {version}"]
        assert before[f"port {shop.port} is free"]
        shop.push()
        assert found()[f"port {shop.port} is the edge's"]
        docker("kill", f"geartrain-edge-{DockerHost(shop.host.folder).facts.id}")
        assert found()[f"nobody listens on port {shop.port}"] is False
        with socket.create_server(("0.0.0.0", shop.port), reuse_port=True):
            [other] = [what for what in found() if what.startswith(f"port {shop.port} is held by ")]
            assert f"(pid {os.getpid()}, " in other
