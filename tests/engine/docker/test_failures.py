"""What a release in Docker that cannot work is told, while the one before goes on."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable

import pytest

from geartrain.errors import GearError, InvalidError
from tests.engine.docker.conftest import Place
from tests.engine.docker.releasing import Shop

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("docker_daemon")]

GOOD = """\
services:
  web: {{ build: ., command: "python program.py {how} {port}", x-gear: {{ port: 8080, health: / }},
          ports: ["80:8080"], mem_limit: 48m, healthcheck: {{ test: "true", start_period: 3s }} }}
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
