"""Apps that share a host: one edge, separate networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from geartrain.engine.docker import access_log
from geartrain.errors import GearError
from tests.engine.contract import eventually
from tests.engine.docker.conftest import Place
from tests.engine.docker.hosts import clean
from tests.engine.docker.releasing import Shop
from tests.engine.docker.test_failures import get

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("docker_daemon")]

COMPOSE = """\
x-gear: {{ domains: [{domain}] }}
services:
  nginx: {{ image: "nginx:latest", ports: ["80:80"] }}
  web: {{ build: ., command: "python program.py good 8080", x-gear: {{ port: 8080, routes: [/] }} }}
  helper: {{ build: ., command: "python program.py good 9000", expose: [9000],
            x-gear: {{ role: worker }}, networks: {{ default: {{ aliases: [aide] }} }} }}
"""


@pytest.fixture(scope="module")
def two(docker_daemon: None, places: Callable[[], Place]) -> tuple[Place, Shop, Shop]:
    place = places()
    shop = place.app("shop", COMPOSE.format(domain="shop.test"))
    blog = place.app("blog", COMPOSE.format(domain="blog.test"))
    shop.release()
    blog.release()
    return place, shop, blog


def test_requests_go_by_host_name(two: tuple[Place, Shop, Shop]) -> None:
    place, shop, blog = two
    assert get(place, name="shop.test").split()[:2] == ["shop", str(shop.live)]
    assert get(place, name="blog.test").split()[:2] == ["blog", str(blog.live)]
    with pytest.raises(OSError, match="421"):
        get(place, name="other.test")


def test_a_release_of_one_leaves_the_other_alone(two: tuple[Place, Shop, Shop]) -> None:
    place, shop, blog = two
    before = blog.engine().observe()
    (shop.source / "program.py").write_text((shop.source / "program.py").read_text() + "\n")
    shop.release()
    assert shop.engine().drained(20.0)
    assert blog.engine().observe() == before
    assert get(place, name="blog.test").split()[:2] == ["blog", str(blog.live)]
    assert get(place, name="shop.test").split()[:2] == ["shop", str(shop.live)]


def test_the_same_domain_twice_is_refused_with_both_names(two: tuple[Place, Shop, Shop]) -> None:
    place, _, _ = two
    third = place.app("third", COMPOSE.format(domain="blog.test"))
    with pytest.raises(GearError, match=r"blog\.test is claimed by third and by blog"):
        third.release()
    assert third.engine().observe().instances == ()


def test_names_lead_to_the_own_release_and_nowhere_else(two: tuple[Place, Shop, Shop]) -> None:
    place, shop, blog = two
    seen = {
        made.home.name: {i.id.service: i.address for i in made.engine().observe().instances}
        for made in (shop, blog)
    }
    for name in ("helper", "aide"):
        assert get(place, f"/name/{name}", "shop.test") == seen["shop"]["helper"]
    assert get(place, "/ask/helper:9000", "shop.test").startswith(f"shop {shop.live} ")
    with pytest.raises(OSError, match="500"):
        get(place, f"/ask/{seen['blog']['helper']}:9000", "shop.test")


def test_the_app_sees_its_callers_own_address(two: tuple[Place, Shop, Shop]) -> None:
    place, shop, _ = two
    front = shop.engine().observe().instances[-1]
    assert front.role == "edge"
    assert get(place, name="shop.test").split()[2] == "127.0.0.1"


def test_one_that_is_taken_down_is_not_answered_for(two: tuple[Place, Shop, Shop]) -> None:
    place, _, blog = two
    assert blog.engine().down()
    assert not blog.engine().down()
    with pytest.raises(OSError, match="421"):
        get(place, name="blog.test")
    assert get(place, name="shop.test").split()[0] == "shop"
    blog.release(blog.known(blog.live))
    assert get(place, name="blog.test").split()[:2] == ["blog", str(blog.live)]


def test_another_host_of_the_machine_may_have_an_app_of_the_same_name(
    two: tuple[Place, Shop, Shop], tmp_path: Path
) -> None:
    place, shop, _ = two
    other = Place(tmp_path)
    try:
        twin = other.app("shop", COMPOSE.format(domain="shop.test"))
        twin.release()
        twin.release()
        assert get(other, name="shop.test").split()[:2] == ["shop", "2"]
        assert get(place, name="shop.test").split()[:2] == ["shop", str(shop.live)]
        assert twin.engine().down()
        assert get(place, name="shop.test").split()[:2] == ["shop", str(shop.live)]
    finally:
        clean(other.host)


def test_a_large_access_log_gives_way_to_a_new_one(two: tuple[Place, Shop, Shop]) -> None:
    place, _, _ = two
    log = place.host.edge / "logs" / "access.log"

    def asked() -> bool:
        get(place, name="shop.test")
        return log.exists() and log.stat().st_size > 0

    eventually(asked)
    access_log.rotate(place.host)
    assert not log.with_name("access.log.1").exists()
    access_log.rotate(place.host, most=0)
    eventually(asked)
    assert b'"generation":"shop ' in log.with_name("access.log.1").read_bytes()
    access_log.rotate(place.host, most=0)
    eventually(asked)
    assert log.with_name("access.log.2").exists()
