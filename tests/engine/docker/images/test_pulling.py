"""Pulls by a real daemon, from a registry on this machine that serves one image."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import threading
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from geartrain.engine.docker.images.ensure import ensure
from geartrain.engine.docker.images.reference import parse
from geartrain.engine.docker.images.registry import Pull, Registries
from geartrain.errors import GearError
from tests.dockerd import docker

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]


class Registry:
    """The part of the OCI distribution specification that a pull needs."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        plain = io.BytesIO()
        with tarfile.open(fileobj=plain, mode="w") as tar:
            tar.addfile(tarfile.TarInfo(f"unique-{uuid.uuid4().hex}"))
        layer = gzip.compress(plain.getvalue())
        config = json.dumps(
            {
                "architecture": "amd64", "os": "linux", "config": {"Cmd": ["true"]},
                "rootfs": {"type": "layers",
                           "diff_ids": [f"sha256:{hashlib.sha256(plain.getvalue()).hexdigest()}"]},
            }
        ).encode()  # fmt: skip
        kind = "application/vnd.docker"
        self.kind = f"{kind}.distribution.manifest.v2+json"
        self.blobs = {f"sha256:{hashlib.sha256(b).hexdigest()}": b for b in (layer, config)}
        (layer_name, config_name) = self.blobs
        self.manifest = json.dumps(
            {
                "schemaVersion": 2, "mediaType": self.kind,
                "config": {"mediaType": f"{kind}.container.image.v1+json", "size": len(config),
                           "digest": config_name},
                "layers": [{"mediaType": f"{kind}.image.rootfs.diff.tar.gzip", "size": len(layer),
                            "digest": layer_name}],
            }
        ).encode()  # fmt: skip
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.answer(self)

            def do_HEAD(self) -> None:
                registry.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.name = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(request.path)
        kind, status, body = "application/json", 200, b"{}"
        if "/app/manifests/" in request.path:
            kind, body = self.kind, self.manifest
        elif "/blobs/" in request.path:
            kind, body = "application/octet-stream", self.blobs[request.path.rpartition("/")[2]]
        elif "/manifests/" in request.path:
            status, body = 404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"unknown"}]}'
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        request.send_header("Docker-Content-Digest", digest)
        request.end_headers()
        if request.command == "GET":
            request.wfile.write(body)


@pytest.fixture
def registry(docker_daemon: None) -> Iterator[Registry]:
    made = Registry()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_an_image_is_pulled_once(registry: Registry, tmp_path: Path) -> None:
    name = f"{registry.name}/app:1"
    said: list[str] = []
    try:
        assert ensure([name, name], said.append, state=tmp_path) == {name: name}
        assert said == [f"pulling {name}"]
        asked = len(registry.asked)
        assert ensure([name], said.append, state=tmp_path) == {name: name}
        assert len(registry.asked) == asked, "what is here is not asked for"
    finally:
        docker("image", "rm", name)


def test_a_registry_that_has_no_such_image_is_not_out_of_reach(
    registry: Registry, tmp_path: Path
) -> None:
    name = f"{registry.name}/other:1"
    with pytest.raises(GearError) as error:
        ensure([name], lambda _: None, state=tmp_path)
    (problem,) = error.value.problems
    assert "does not give it" in problem.what
    assert "docker login" in problem.remedy
    pull, _ = Registries(tmp_path / "registries.json").pull(parse(f"{registry.name}/app:1"), print)
    assert pull is Pull.DONE, "it is still asked"
    docker("image", "rm", f"{registry.name}/app:1")


def test_every_image_that_is_nowhere_is_named(docker_daemon: None, tmp_path: Path) -> None:
    with pytest.raises(GearError, match="images are not to be had") as error:
        ensure(["localhost:1/a", "localhost:1/b:2"], lambda _: None, state=tmp_path)
    assert [problem.where for problem in error.value.problems] == [
        "localhost:1/a",
        "localhost:1/b:2",
    ]
    assert "docker load" in error.value.problems[0].remedy
    assert Registries(tmp_path / "registries.json").reaches("localhost:1") is False


def test_a_stand_in_is_used_where_nothing_answers(docker_daemon: None, tmp_path: Path) -> None:
    (tmp_path / "registries.json").write_text(json.dumps({"docker.io": time.time()}))
    said: list[str] = []
    found = ensure(["debian:bookworm-slim"], said.append, state=tmp_path)
    name = found["debian:bookworm-slim"]
    assert name in ("debian:bookworm-slim", "geartrain/debian:bookworm-slim")
    assert docker("run", "--rm", name, "cat", "/etc/debian_version").startswith("12.")
    said.clear()
    assert ensure(["debian:bookworm-slim"], said.append, state=tmp_path) == found
    assert said == [], "once it is there, nothing is to be said"
