"""Where a distribution is out of reach, another one's version stands in; nothing else does that."""

from __future__ import annotations

import pytest

from geartrain.engine.docker.images import base, ensure
from geartrain.engine.docker.images.recipe import Recipe
from geartrain.errors import GearError


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ubuntu cannot be reached, and Debian's packages do not build."""
    asked: list[str] = []

    def make(recipe: Recipe, *_: object, **__: object) -> str:
        asked.append(recipe.gives)
        if recipe.suite.ubuntu:
            raise base.OutOfReachError(f"no packages of {recipe.suite.title}")
        if recipe.family == "redis":
            raise GearError("it does not build")
        return recipe.name

    monkeypatch.setattr(ensure, "make", make)
    return asked


def test_the_nearest_version_of_another_distribution(tried: list[str]) -> None:
    said: list[str] = []
    assert ensure.build("python:3.12-slim", said.append) == "geartrain/python:3.12-slim"
    assert tried == ["Python 3.12", "Python 3.13"]
    assert said == ["python:3.12-slim: Python 3.13 of Debian 13 runs in place of 3.12"]


def test_a_database_keeps_its_major_version(tried: list[str]) -> None:
    with pytest.raises(GearError, match=r"no packages of Ubuntu 24\.04"):
        ensure.build("postgres:16", lambda _: None)
    assert tried == ["PostgreSQL 16"]


def test_what_does_not_build_is_told(tried: list[str]) -> None:
    with pytest.raises(GearError, match="it does not build"):
        ensure.build("redis:7", lambda _: None)
    assert tried == ["Redis 7"]


def test_an_ordinary_user_is_told_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(base.shutil, "which", lambda name: None if name == "newuidmap" else name)
    with pytest.raises(GearError, match="needs uidmap") as error:
        base.check_tools()
    assert "sudo apt-get install uidmap" in error.value.remedy
    monkeypatch.setattr(base.shutil, "which", lambda _: None)
    with pytest.raises(GearError, match="mmdebstrap is not there") as error:
        base.check_tools()
    assert error.value.remedy == "sudo apt-get install mmdebstrap uidmap"
