"""The lock files: they satisfy pyproject.toml, pin every file, and name no place."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUNTIME = [
    *PROJECT["project"]["dependencies"],
    *PROJECT["project"]["optional-dependencies"]["embedded"],
]
LOCKS = ("runtime", "dev", "tools", "links")


def pinned(lock: str) -> dict[str, str]:
    """Versions by name."""
    text = (ROOT / f"requirements/{lock}.txt").read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [("runtime", RUNTIME), ("dev", [*RUNTIME, *PROJECT["dependency-groups"]["dev"]])],
)
def test_the_lock_satisfies_the_project(lock: str, wanted: list[str]) -> None:
    versions = pinned(lock)
    unmet = [
        str(requirement)
        for requirement in map(Requirement, wanted)
        if not requirement.specifier.contains(
            versions.get(canonicalize_name(requirement.name), "0"), prereleases=True
        )
    ]
    assert unmet == [], "run requirements/compile"


def test_tests_run_on_the_versions_that_users_get() -> None:
    for lock in ("runtime", "tools"):
        both = pinned(lock).items() & pinned("dev").items()
        assert {n for n, _ in both} == pinned(lock).keys() & pinned("dev").keys()
    assert pinned("runtime").keys() <= pinned("dev").keys()
    assert version("click") == pinned("runtime")["click"]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_file_is_pinned_and_no_place_is_named(lock: str) -> None:
    text = (ROOT / f"requirements/{lock}.txt").read_text()
    blocks = re.split(r"^(?=[a-z0-9-]+==)", text, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(pinned(lock))
    assert [block for block in blocks if "--hash=sha256:" not in block] == []
    assert re.findall(r"https?:|file:|--(?:extra-)?index-url|--find-links|\s/\S+", text) == []


def test_the_example_s_lock_names_no_place() -> None:
    text = (ROOT / "examples/links/backend/requirements.lock").read_text()
    assert re.findall(r"https?:|file:|--(?:extra-)?index-url|--find-links", text) == []
    wanted = (ROOT / "examples/links/backend/requirements.in").read_text().split()
    pins = set(re.findall(r"^([a-z0-9-]+)(?:\[[a-z]+\])?==", text, re.MULTILINE))
    assert {canonicalize_name(word.partition("[")[0]) for word in wanted} <= pins
