"""An app that uses a secret in every way there is, each with a value that is nowhere else."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

from geartrain.engine.docker.host import DockerHost
from geartrain.engine.memory import Memory
from geartrain.render import containers
from tests.dockerd import docker
from tests.server.pushing import Clone
from tests.server.sealed.canaries import canary
from tests.server.sealed.team import Team

APP = """\
import hashlib
import http.server
import json
import os
import pathlib
import sys
import time

EXPECTED = json.loads(pathlib.Path("expected.json").read_text())


def right(name, value):
    if hashlib.sha256(value.encode()).hexdigest() != EXPECTED[name]:
        sys.exit(f"{name} is wrong")


right("STRIPE_KEY", os.environ["STRIPE_KEY"])
for name in ("token", "SIGNING_KEY"):
    right(name, pathlib.Path("/run/secrets", name).read_text())
if pathlib.Path("built").read_text().split()[0] != EXPECTED["BUILD_TOKEN"]:
    sys.exit("the build had another token")


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(EXPECTED["version"].encode())


what = sys.argv[1]
if what == "web":
    http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
elif what == "work":
    time.sleep(10**6)
print(what, "has all of them")
"""
DOCKERFILE = """\
FROM python:3.12-slim
WORKDIR /app
COPY . .
RUN --mount=type=secret,id=BUILD_TOKEN sha256sum /run/secrets/BUILD_TOKEN > built
"""
COMPOSE = """\
x-common: &common
  build: {context: ., secrets: [BUILD_TOKEN]}
  environment:
    STRIPE_KEY: ${STRIPE_KEY:?}
  secrets: [token, SIGNING_KEY]
  stop_grace_period: 1s
services:
  web:
    <<: *common
    command: python app.py web
    ports: ["${EDGE_PORT:-8080}:8080"]
    x-gear:
      health: /
      release: python app.py release
      check: python app.py check
  worker:
    <<: *common
    command: python app.py work
  report:
    <<: *common
    command: python app.py report
    x-gear: {schedule: "0 0 1 1 *"}
  vault:
    image: python:3.12-slim
    command: python -c "import time; open('/run/secrets/token').close(); time.sleep(10**6)"
    environment: {STRIPE_KEY: "${STRIPE_KEY}"}
    secrets: [token]
    volumes: ["state:/state"]
volumes: {state: {}}
secrets:
  token: {environment: API_TOKEN}
  SIGNING_KEY: {external: true}
  BUILD_TOKEN: {environment: BUILD_TOKEN}
"""
FILES = {"API_TOKEN": "token", "SIGNING_KEY": "SIGNING_KEY"}


class Seeded:
    """An app with a secret of each kind, whose values nobody else has."""

    def __init__(self, clone: Clone, home: Path) -> None:
        self.clone = clone
        self.team = Team(clone, home)
        self.values: dict[str, str] = {}
        self.began = time.time()
        clone.write("app.py", APP)
        clone.write("Dockerfile", DOCKERFILE)
        clone.write("docker-compose.yml", COMPOSE)
        for name in ("STRIPE_KEY", "API_TOKEN", "SIGNING_KEY", "BUILD_TOKEN"):
            self.change(name)
        self.version("1")

    def change(self, name: str) -> None:
        self.values[name] = canary(name)
        self.team.secrets("set", name, stdin=self.values[name])

    def version(self, text: str) -> None:
        expected = {
            FILES.get(name, name): hashlib.sha256(value.encode()).hexdigest()
            for name, value in self.values.items()
        }
        told = json.dumps({**expected, "version": text})
        self.clone.write("expected.json", told)
        self.clone.commit(f"version {text}")

    @property
    def id(self) -> str:
        return DockerHost(self.clone.host.folder).facts.id

    @property
    def memory(self) -> Path:
        (folder,) = Memory(self.clone.host.folder, self.clone.app).there("")
        return folder

    def listed(self, *words: str) -> list[str]:
        """What Docker has of this host."""
        return docker(*words, f"--filter=label={containers.HOST}={self.id}").split()
