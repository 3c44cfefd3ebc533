"""A mounted `redis.conf` has the effect that its words would have in the command."""

from __future__ import annotations

import pytest

from geartrain.app.model import Keep
from geartrain.render.valkey import keep_of
from tests.load.conftest import Project

COMPOSE = """
    services:
      redis:
        image: redis:8
        command: redis-server /etc/redis/redis.conf --maxmemory 64mb
        volumes: ["{mount}"]
"""
FOLDER = "./docker/redis:/etc/redis:ro"
FILE = "./docker/redis/redis.conf:/etc/redis/redis.conf:ro"


@pytest.mark.parametrize("mount", [FOLDER, FILE])
def test_its_settings_become_words_and_the_command_wins(project: Project, mount: str) -> None:
    project.compose(COMPOSE.format(mount=mount))
    project.write(
        "docker/redis/redis.conf",
        """
        # a comment
        maxmemory 32mb
        Appendonly yes
        save 900 1
        requirepass "s3cret"
        timeout 30
        bind 0.0.0.0
        """,
    )
    loaded = project.load()
    redis = loaded.app.services["redis"]
    assert redis.command == (
        *("redis-server", "--maxmemory", "32mb", "--appendonly", "yes", "--save", "900"),
        *("--requirepass", "s3cret", "--maxmemory", "64mb"),
    )
    assert keep_of(redis) is Keep.DURABLE
    assert "redis: /etc/redis/redis.conf sets bind, timeout, without effect here" in loaded.notices


def test_an_empty_save_is_no_wish_to_keep(project: Project) -> None:
    project.compose(COMPOSE.format(mount=FILE))
    project.write("docker/redis/redis.conf", 'save ""\nappendonly no\n')
    assert keep_of(project.load().app.services["redis"]) is Keep.EVICT


def test_a_file_of_the_image_is_left_to_it(project: Project) -> None:
    project.compose(COMPOSE.format(mount="data:/data") + "    volumes: { data: }\n")
    assert project.load().app.services["redis"].command == (
        *("redis-server", "/etc/redis/redis.conf", "--maxmemory", "64mb"),
    )


def test_nothing_outside_the_project_is_read(project: Project) -> None:
    outside = project.root.parent / "secret.conf"
    outside.write_text("requirepass stolen\n")
    project.compose(COMPOSE.format(mount=FOLDER))
    project.write("docker/redis/other", "")
    (project.root / "docker/redis/redis.conf").symlink_to(outside)
    assert "stolen" not in str(project.load().app.services["redis"].command)
