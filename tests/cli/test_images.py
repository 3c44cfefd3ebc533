"""`gear images` with a real Docker."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from geartrain.errors import Exit
from tests.cli.running import Project
from tests.dockerd import docker

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]


@pytest.fixture
def anywhere(docker_daemon: None, tmp_path: Path) -> Project:
    return Project(tmp_path, 0)


def test_made_shown_and_removed(anywhere: Project) -> None:
    # A tag of its own, so that what others use stays.
    name = "debian:bookworm-slim"
    built = anywhere.gear("images", "build", name)
    assert built.out == f"{name}  geartrain/{name}\n"
    assert docker("run", "--rm", f"geartrain/{name}", "cat", "/etc/debian_version").startswith(
        "12."
    )

    listed = json.loads(anywhere.gear("images", "list", "--json").out)
    found = next(one for one in listed if one["stands_for"] == name)
    assert (found["kind"], found["gives"]) == ("stand-in", "Debian 12")
    assert name in anywhere.gear("images", "list").out

    # What is built upon it has inherited its labels, and is somebody else's.
    own = f"own-{uuid.uuid4().hex[:8]}:latest"
    docker("import", "--change", "CMD true", "--change", f"LABEL geartrain.image=geartrain/{name}",
           "--change", "LABEL geartrain.kind=stand-in", "/dev/null", own)  # fmt: skip
    try:
        assert own not in anywhere.gear("images", "list").out
        assert anywhere.gear("images", "remove", name).out == f"removed geartrain/{name}\n"
        assert docker("images", "--quiet", own)
    finally:
        docker("image", "rm", own)
    assert "no image of that name" in anywhere.gear("images", "remove", name, code=Exit.FAILED).err


def test_what_cannot_be_made(anywhere: Project) -> None:
    refused = anywhere.gear("images", "build", "mailhog/mailhog", code=Exit.FAILED)
    assert "no stand-in for mailhog/mailhog is known" in refused.err


def test_pruning_says_what_it_would_do(anywhere: Project) -> None:
    said = json.loads(
        anywhere.gear("images", "prune", "--app", "nobody", "--dry-run", "--json").out
    )
    assert said == {"removed": [], "dry_run": True}
    assert "not an age" in anywhere.gear("images", "prune", "--older-than", "x", code=2).err


def test_images_or_all(anywhere: Project) -> None:
    assert "--all" in anywhere.gear("images", "remove", code=2).err
