"""Random Compose files of valid shape: each is an app or a clear refusal, never a traceback."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from geartrain.app import routes
from geartrain.app.model import Role
from geartrain.app.published import published
from geartrain.errors import GearError
from geartrain.load import load

NAMES = ("web", "api", "nginx", "db", "redis", "worker", "migrate", "mail")
IMAGES = (
    "nginx",
    "postgres:16",
    "redis",
    "mysql:8",
    "mongo",
    "example/tool",
    "rabbitmq:3-management",
)
PORTS = (80, 443, 3306, 5672, 8000, 8080)
COMMANDS = (
    "gunicorn -b 0.0.0.0:8000 a",
    "python manage.py migrate",
    ["nginx", "-c", "/srv/n.conf"],
    "sh -c 'echo \"unclosed'",
    "",
)

ports = st.lists(
    st.one_of(
        st.sampled_from(PORTS),
        st.builds("{}:{}".format, st.sampled_from(PORTS), st.sampled_from(PORTS)),
        st.builds("127.0.0.1:{}:{}/udp".format, st.sampled_from(PORTS), st.sampled_from(PORTS)),
    ),
    max_size=3,
    unique=True,
)
mounts = st.lists(
    st.sampled_from(
        ("./data:/data", "data:/var", "/etc:/e:ro", "./n.conf:/etc/nginx/nginx.conf", ".:/app",
         "/var/run/docker.sock:/var/run/docker.sock", "/etc/localtime:/etc/localtime", "/anon")
    ),
    max_size=3,
    unique=True,
)  # fmt: skip
depends = st.dictionaries(
    st.sampled_from(NAMES[:3]),
    st.fixed_dictionaries(
        {"condition": st.sampled_from(("service_started", "service_completed_successfully"))}
    ),
    max_size=1,
)
optional: dict[str, st.SearchStrategy[Any]] = {
    "ports": ports,
    "volumes": mounts,
    "depends_on": depends,
    "command": st.sampled_from(COMMANDS),
    "expose": st.lists(st.sampled_from(PORTS), max_size=2, unique=True),
    "container_name": st.sampled_from(("one", "Web", "a_b.c")),
    "restart": st.sampled_from(("no", "always", "on-failure:3")),
    "environment": st.sampled_from(({"PORT": "3000"}, {"API": "http://api:5000"}, ["A", "B=$C"])),
    "networks": st.just({"default": {"aliases": ["other"]}}),
    "privileged": st.booleans(),
    "labels": st.just({"traefik.http.routers.a.rule": "Host(`a`)"}),
    "profiles": st.just(["off"]),
    "deploy": st.sampled_from(({"replicas": 0}, {"update_config": {"order": "start-first"}})),
    "x-gear": st.sampled_from(({"routes": ["/api/"]}, {"role": "edge"}, {"port": 25})),
}
image = st.fixed_dictionaries({"image": st.sampled_from(IMAGES)}, optional=optional)
build = st.fixed_dictionaries({"build": st.sampled_from((".", "./nginx"))}, optional=optional)
files = st.fixed_dictionaries(
    {
        "services": st.dictionaries(st.sampled_from(NAMES), image | build, max_size=5),
        "volumes": st.just({"data": None}),
    }
)


@settings(max_examples=15, deadline=None)  # 0.1 s each: Compose itself reads them
@given(files)
def test_it_is_an_app_or_a_clear_refusal(model: dict[str, Any]) -> None:
    with TemporaryDirectory() as name:
        root = Path(name) / "shop"
        (root / "nginx").mkdir(parents=True)
        (root / "Dockerfile").write_text("FROM python:3.12\nCOPY . .\n")
        (root / "nginx/Dockerfile").write_text("FROM nginx\nCOPY n.conf /etc/nginx/conf.d/\n")
        (root / "nginx/n.conf").write_text("server { location / { proxy_pass http://web:81; } }")
        (root / "n.conf").write_text("events {}\n")
        (root / "compose.yaml").write_bytes(msgspec.json.encode(model))
        try:
            loaded = load(root, environ={"PATH": "/usr/bin:/bin"})
        except GearError:
            return
        app = loaded.app
        served = {site.port for site in routes.sites(app)}
        for service in app.of_role(Role.WEB, Role.EDGE):
            assert service.port
            for port in published(service):
                told = f"{service.name}: port {port.published} is left out"
                assert port.published in served or any(told in one for one in loaded.notices)
