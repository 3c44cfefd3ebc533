"""What a release in Docker that cannot work is told, while the one before goes on."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from geartrain.errors import GearError, InvalidError
from geartrain.render import containers
from tests.dockerd import docker
from tests.engine.docker.conftest import Place
from tests.engine.docker.releasing import Shop

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("docker_daemon")]

GOOD = """\
services:
  web: {{ build: ., command: "python program.py {how} {port}", x-gear: {{ port: 8080, health: / }},
          ports: ["80:8080"], mem_limit: 48m, healthcheck: {{ test: "true", start_period: 8s }} }}
"""


@pytest.fixture(scope="module")
def shop(docker_daemon: None, places: Callable[[], Place]) -> tuple[Place, Shop]:
    place = places()
    made = place.app("shop", GOOD.format(how="good", port=8080))
    made.release()
    return place, made


def get(place: Place, path: str = "/", name: str = "localhost") -> str:
    asked = urllib.request.Request(f"http://127.0.0.1:{place.port}{path}", headers={"Host": name})
    with urllib.request.urlopen(asked, timeout=5) as answer:
        return str(answer.read().decode())


def refused(shop: tuple[Place, Shop], compose: str) -> GearError:
    """Release another Compose file, which fails; requests go where they went."""
    place, made = shop
    assert made.engine().drained(30.0)
    before = get(place)
    (made.source / "docker-compose.yml").write_text(compose)
    with pytest.raises(GearError) as error:
        made.release()
    assert get(place).split()[:2] == before.split()[:2]
    numbers = {i.id.release for i in made.engine().observe().instances} - {None}
    assert numbers == {made.live}
    return error.value


def test_another_port_than_said_is_named(shop: tuple[Place, Shop]) -> None:
    error = refused(shop, GOOD.format(how="good", port=9999))
    assert "it listens on 0.0.0.0:9999 (say so with x-gear.port)" in error.what


def test_running_out_of_memory_is_called_so(shop: tuple[Place, Shop]) -> None:
    error = refused(shop, GOOD.format(how="eats", port=8080))
    assert "was killed: out of memory (its limit is 48 MB)" in error.what


def test_a_command_that_is_not_there(shop: tuple[Place, Shop]) -> None:
    error = refused(shop, GOOD.format(how="good", port=8080).replace("python ", "no-such-program "))
    assert "no-such-program" in str(error)


def test_an_image_that_does_not_build(shop: tuple[Place, Shop]) -> None:
    _, made = shop
    (made.source / "Dockerfile.broken").write_text("FROM python:3.12-slim\nRUN echo wrong; false\n")
    compose = GOOD.format(how="good", port=8080)
    error = refused(shop, compose.replace("build: .", "build: {dockerfile: Dockerfile.broken}"))
    assert "Dockerfile.broken" in str(error)


def test_rights_are_refused_until_the_hosts_owner_allows_them(shop: tuple[Place, Shop]) -> None:
    place, made = shop
    compose = GOOD.format(how="good", port=8080).replace(
        "build: .,", 'build: ., cap_add: [NET_RAW], pid: host, volumes: ["/etc/hostname:/name"],'
    )
    error = refused(shop, compose)
    keys = ["services.web.cap_add", "services.web.pid", "services.web.volumes[/etc/hostname]"]
    assert isinstance(error, InvalidError)
    assert {problem.where.split()[-1] for problem in error.problems} == set(keys)
    assert "allow.json" in error.remedy
    (place.host.folder / "allow.json").write_text(json.dumps({"shop": keys}))
    made.release()
    assert get(place).split()[:2] == ["shop", str(made.live)]
    raw = 1 << 13  # CAP_NET_RAW (capabilities(7))
    said = dict(line.split(":\t") for line in get(place, "/identity").splitlines())
    assert int(said["CapBnd"], 16) & raw
    (place.host.folder / "allow.json").unlink()


def test_a_granted_right_takes_effect_where_it_was_granted_and_nowhere_else(
    shop: tuple[Place, Shop],
) -> None:
    place, made = shop
    media = place.folder / "media"
    media.mkdir()
    (media / "hello").write_text("from the machine")
    compose = GOOD.format(how="good", port=8080).replace(
        "build: .,", 'build: ., volumes: ["media:/media"],'
    )
    compose += "  redis: {{ image: redis:7, cap_add: [NET_RAW]{more} }}\n"
    compose += (
        f"volumes: {{ media: {{ driver_opts: {{ type: none, o: bind, device: {media} }} }} }}\n"
    )
    compose = compose.replace("{{", "{").replace("}}", "}")
    grants = place.host.folder / "allow.json"
    grants.write_text(json.dumps({"shop": ["services.redis.cap_add", "volumes.media.driver_opts"]}))
    try:
        error = refused(shop, compose.replace("{more}", ", pid: host"))
        assert isinstance(error, InvalidError)
        assert [one.where.split()[-1] for one in error.problems] == ["services.redis.pid"]
        (made.source / "docker-compose.yml").write_text(compose.replace("{more}", ""))
        made.release()
    finally:
        grants.unlink()
    seen = {one.id.service: one for one in made.engine().observe().instances}
    raw = 1 << 13
    for name, has in (("redis", True), ("web", False)):
        status = Path(f"/proc/{seen[name].pid}/status").read_text()
        said = dict(line.split(":\t", 1) for line in status.splitlines())
        assert bool(int(said["CapBnd"], 16) & raw) is has, name
    web = containers.container(made.home.base, seen["web"].id)
    assert docker("exec", web, "cat", "/media/hello") == "from the machine"


def test_what_nobody_can_grant_is_not_promised(shop: tuple[Place, Shop]) -> None:
    place, _ = shop
    compose = GOOD.format(how="good", port=8080).replace(
        "build: .,", "volumes_from: [other], build: .,"
    )
    compose += "  other: { build: ., command: sleep 1000 }\n"
    (place.host.folder / "allow.json").write_text(
        json.dumps({"shop": ["services.web.volumes_from"]})
    )
    try:
        error = refused(shop, compose)
    finally:
        (place.host.folder / "allow.json").unlink()
    assert "services.web.volumes_from" in str(error)
    assert "whoever allows it" in str(error)
    assert "allow.json" not in str(error)


def test_what_nobody_asked_for_is_denied(shop: tuple[Place, Shop]) -> None:
    place, made = shop
    (made.source / "docker-compose.yml").write_text(GOOD.format(how="good", port=8080))
    made.release()
    said = dict(line.split(":\t") for line in get(place, "/identity").splitlines())
    assert said["NoNewPrivs"].strip() == "1"
    raw, admin = 1 << 13, 1 << 21
    assert not int(said["CapBnd"], 16) & (raw | admin)


def test_an_edge_of_its_own_configuration_is_told_what_to_do(shop: tuple[Place, Shop]) -> None:
    compose = """\
services:
  web: { build: ., command: "python program.py good 8080" }
  nginx:
    image: nginx:latest
    ports: ["80:80"]
    volumes: ["./nginx.conf:/etc/nginx/conf.d/default.conf:ro"]
    x-gear: { role: edge }
"""
    _, made = shop
    (made.source / "nginx.conf").write_text("server { listen 80; }\n")
    error = refused(shop, compose)
    assert "leave `x-gear.role` out" in error.remedy
