"""Whether the app knows the password of its cache, by its file and its sources."""

from __future__ import annotations

import pytest

from .conftest import Project

COMPOSE = """\
services:
  web:
    build: ./web
    ports: ["8000:5000"]
    environment: {ENVIRONMENT}
  redis:
    image: redis:alpine
    command: [COMMAND]
"""
HARD_CODED = 'cache = redis.Redis(host="redis", port=6379)\n'


def is_open(project: Project, source: str, environment: str = "", command: str = "") -> bool:
    text = COMPOSE.replace("ENVIRONMENT", environment).replace("COMMAND", command)
    project.compose(text)
    project.write("web/Dockerfile", "FROM python:3.12\nCOPY . .\n")
    project.write("web/pkg/app.py", source)
    project.write("web/node_modules/client/index.js", "process.env.REDIS_URL")
    loaded = project.load()
    said = "redis: lets the app in without a password" in " ".join(loaded.notices)
    assert said is loaded.app.services["redis"].passwordless
    return said


def test_code_that_names_the_host_alone_is_let_in(project: Project) -> None:
    assert is_open(project, HARD_CODED)


@pytest.mark.parametrize(
    "source",
    [
        'os.environ["REDIS_URL"]',
        "class Settings(BaseSettings):\n    redis_url: str",
        "password: process.env.REDIS_PASSWORD",
        "spring.data.redis.password=${PASSWORD}",
    ],
)
def test_code_that_can_have_the_password_needs_it(project: Project, source: str) -> None:
    assert not is_open(project, HARD_CODED + source)


@pytest.mark.parametrize(
    "environment",
    ['BROKER: "redis://redis:6379/0"', 'REDIS_PASSWORD: ""', 'CACHE_REDIS_URL: "x"'],
)
def test_a_file_that_says_how_to_log_in_decides(project: Project, environment: str) -> None:
    assert not is_open(project, HARD_CODED, environment)


def test_a_password_in_the_command_is_one(project: Project) -> None:
    assert not is_open(project, HARD_CODED, command="redis-server, --requirepass, x")


def test_images_alone_know_nothing(project: Project) -> None:
    project.compose("services:\n  app: {image: example/app}\n  redis: {image: redis}\n")
    assert project.load().app.services["redis"].passwordless
