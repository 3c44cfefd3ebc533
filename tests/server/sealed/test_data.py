"""A database and a cache whose passwords are secrets of the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.pushing import Clone
from tests.server.sealed.canaries import Search, canary
from tests.server.sealed.team import Team

COMPOSE = """
  postgres:
    image: postgres:18
    environment: {POSTGRES_USER: shop, POSTGRES_PASSWORD: "${DB_PASSWORD:?}"}
  redis:
    image: redis:7
    command: ["redis-server", "--requirepass", "${REDIS_PASSWORD:?}"]
"""
WHO = ("db", "shell", "-Atc", "SELECT current_user")


@pytest.fixture
def team(shop: Clone, tmp_path: Path) -> Team:
    with (shop.folder / "docker-compose.yml").open("a") as file:
        file.write(COMPOSE)
    shop.commit("data")
    return Team(shop, tmp_path / "alice")


def test_such_passwords_are_in_no_file_and_can_be_changed(team: Team) -> None:
    clone, state = team.clone, team.clone.host.folder
    values = {"DB_PASSWORD": canary("db"), "REDIS_PASSWORD": canary("redis")}
    for name, value in values.items():
        team.secrets("set", name, stdin=value)
    clone.commit("passwords")
    clone.push()
    assert clone.gear(*WHO).out == "shop\n"
    assert clone.gear("redis", "shell", "ping").out.strip() == "PONG"
    assert Search(values).folder(state) == []
    assert Search({"the user": "shop"}).folder(state / "apps" / "shop" / "releases")

    values["DB_PASSWORD, the second"] = canary("another")
    team.secrets("set", "DB_PASSWORD", stdin=values["DB_PASSWORD, the second"])
    clone.commit("another password")
    said = clone.push().err
    assert "postgres" in said, "it learns of it"
    assert clone.gear(*WHO).out == "shop\n"
    assert Search(values).folder(state) == []
    # Encrypted anew, it is the same: connections to the database stay.
    team.secrets("rotate")
    clone.commit("encrypted anew")
    assert "restart postgres" not in clone.push().err
    assert clone.gear(*WHO).out == "shop\n"
    clone.gear("down")
    clone.gear("converge")
    assert clone.gear(*WHO).out == "shop\n"
