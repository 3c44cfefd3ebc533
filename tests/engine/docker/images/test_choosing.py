"""Which stand-in is made for an image's name: names, versions, distributions."""

from __future__ import annotations

import pytest

from geartrain.engine.docker.images.families.choose import recipes
from geartrain.engine.docker.images.reference import parse


@pytest.mark.parametrize(
    ("name", "registry", "path", "tag"),
    [
        ("python", "docker.io", "library/python", "latest"),
        ("python:3.12-slim", "docker.io", "library/python", "3.12-slim"),
        ("docker.io/library/postgres:16", "docker.io", "library/postgres", "16"),
        ("index.docker.io/valkey/valkey:8", "docker.io", "valkey/valkey", "8"),
        ("ghcr.io/team/app:1.2", "ghcr.io", "team/app", "1.2"),
        ("localhost:5000/app", "localhost:5000", "app", "latest"),
        ("registry.example:5000/a/b:c", "registry.example:5000", "a/b", "c"),
    ],
)
def test_names_are_read_as_docker_reads_them(name: str, registry: str, path: str, tag: str) -> None:
    found = parse(name)
    assert (found.registry, found.path, found.tag) == (registry, path, tag)


def test_a_digest_is_kept_apart() -> None:
    found = parse("postgres:16@sha256:abc")
    assert (found.tag, found.digest) == ("16", "sha256:abc")
    assert parse("postgres@sha256:abc").tag == ""


@pytest.mark.parametrize(
    ("name", "gives", "suite"),
    [
        ("python:3.12-slim", "Python 3.12", "noble"),
        ("python:3.12.4", "Python 3.12", "noble"),
        ("python:3.11-slim-bookworm", "Python 3.11", "bookworm"),
        ("python:3", "Python 3.14", "resolute"),
        ("python", "Python 3.14", "resolute"),
        ("postgres:16-alpine", "PostgreSQL 16", "noble"),
        ("postgres:15", "PostgreSQL 15", "bookworm"),
        ("postgres:latest", "PostgreSQL 18", "resolute"),
        ("pgvector/pgvector:pg17", "PostgreSQL 17", "trixie"),
        ("postgis/postgis:16-3.4", "PostgreSQL 16", "noble"),
        ("redis:7", "Redis 7", "bookworm"),
        ("redis:7.2-alpine", "Redis 7", "bookworm"),
        ("redis:alpine", "Redis 8", "trixie"),
        ("valkey/valkey:8", "Valkey 8", "trixie"),
        ("nginx:1.25", "nginx 1.31", "bookworm"),
        ("node:22-alpine", "Node.js 22", "bookworm"),
        ("node:lts", "Node.js 24", "bookworm"),
        ("node", "Node.js 24", "bookworm"),
        ("debian:bookworm-slim", "Debian 12", "bookworm"),
        ("debian:13", "Debian 13", "trixie"),
        ("ubuntu:24.04", "Ubuntu 24.04", "noble"),
        ("ubuntu", "Ubuntu 24.04", "noble"),
    ],
)
def test_the_distribution_that_has_the_version(name: str, gives: str, suite: str) -> None:
    best = recipes(parse(name))[0]
    assert (best.gives, best.suite.name, best.name.partition(":")[2]) == (
        gives,
        suite,
        parse(name).tag,
    )


@pytest.mark.parametrize("name", ["python:3.12-slim", "postgres:16", "redis:7", "nginx:latest"])
def test_nothing_is_said_when_it_is_what_was_asked_for(name: str) -> None:
    assert recipes(parse(name))[0].notice == ""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("python:3.8-slim", "Python 3.9 of Debian 11 runs in place of 3.8"),
        ("python:3.15", "Python 3.14 of Ubuntu 26.04 runs in place of 3.15"),
        ("python:3.12-alpine", "it is Ubuntu 24.04, so `apk` is not in it"),
        ("postgres:12", "PostgreSQL 13 of Debian 11 runs in place of 12"),
        ("node:18-slim", "Node.js 20 runs in place of 18"),
        ("redis:5", "Redis 6 of Debian 11 runs in place of 5"),
        ("valkey/valkey:7.2", "Valkey 8 of Debian 13 runs in place of 7.2"),
    ],
)
def test_another_version_is_told(name: str, said: str) -> None:
    assert recipes(parse(name))[0].notice == said


def test_where_a_distribution_is_out_of_reach_the_next_version_is_newer() -> None:
    ways = [recipe.gives for recipe in recipes(parse("python:3.12-slim"))]
    assert ways[:3] == ["Python 3.12", "Python 3.13", "Python 3.14"]
    assert ways[-1] == "Python 3.9"


@pytest.mark.parametrize(
    "name",
    ["mailhog/mailhog", "ghcr.io/library/python:3.12", "postgres:16@sha256:abc", "debian:buster",
     "team/postgres:16", "ubuntu:20.04"],
)  # fmt: skip
def test_what_has_no_stand_in(name: str) -> None:
    assert recipes(parse(name)) == ()


def test_the_full_python_image_can_compile() -> None:
    full, slim = recipes(parse("python:3.12"))[0], recipes(parse("python:3.12-slim"))[0]
    assert "build-essential" in full.dockerfile
    assert "build-essential" not in slim.dockerfile


def test_postgresql_18_keeps_its_data_where_its_images_do() -> None:
    new, old = recipes(parse("postgres:18"))[0], recipes(parse("postgres:16"))[0]
    assert "PGDATA=/var/lib/postgresql/18/docker\nVOLUME /var/lib/postgresql\n" in new.dockerfile
    assert "VOLUME /var/lib/postgresql/data\n" in old.dockerfile


def test_an_image_is_named_by_all_that_is_in_it() -> None:
    recipe = recipes(parse("redis:7"))[0]
    assert recipe.digest("base") == recipes(parse("redis:7"))[0].digest("base")
    assert recipe.digest("base") != recipe.digest("other")
    assert recipe.digest("base") != recipes(parse("valkey/valkey:8"))[0].digest("base")
