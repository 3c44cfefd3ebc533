"""Which images of releases may go."""

from __future__ import annotations

import uuid

import pytest

from geartrain.engine.docker.images import prune
from geartrain.engine.docker.images.listing import Made
from geartrain.engine.docker.images.prune import Kept, superfluous
from tests.dockerd import docker

DAY = 86400.0
NOW = 1000 * DAY


def image(
    app: str, release: int, *, days: float = 0, used: bool = False, host: str = "h",
    kind: str = "release", service: str = "web",
) -> Made:  # fmt: skip
    labels = {"geartrain.app": app, "geartrain.host": host, "geartrain.release": str(release)}
    return Made(
        id=f"sha256:{app}{release}{service}", names=(f"geartrain/{app}-{service}:r{release}",),
        kind=kind, labels=labels if kind == "release" else {}, size=1, created=NOW - days * DAY,
        used=used,
    )  # fmt: skip


def gone(images: list[Made], kept: Kept | None = None) -> list[str]:
    return [one.names[0].removeprefix("geartrain/") for one in
            superfluous(images, kept or Kept(), NOW)]  # fmt: skip


def test_five_releases_of_each_app_stay() -> None:
    images = [image(app, n, days=30 - n) for app in ("a", "b") for n in range(1, 8)]
    assert gone(images) == ["a-web:r1", "b-web:r1", "a-web:r2", "b-web:r2"]


def test_releases_are_counted_and_not_images() -> None:
    images = [image("a", n, service=s, days=9 - n) for n in range(1, 8) for s in ("web", "worker")]
    assert sorted(gone(images)) == ["a-web:r1", "a-web:r2", "a-worker:r1", "a-worker:r2"]


def test_what_a_container_uses_stays() -> None:
    images = [image("a", n, used=n == 1, days=9 - n) for n in range(1, 8)]
    assert gone(images) == ["a-web:r2"]


def test_what_is_live_stays_although_it_does_not_run() -> None:
    images = [image("a", n, days=9 - n) for n in range(1, 8)]
    assert gone(images, Kept(live=[("h", "a", 1)])) == ["a-web:r2"]
    assert gone(images, Kept(live=[("other", "a", 1)])) == ["a-web:r1", "a-web:r2"]


def test_the_same_app_of_another_host_is_another_app() -> None:
    images = [image("a", n, host=h, days=9 - n) for n in range(1, 6) for h in ("one", "two")]
    assert gone(images) == []


def test_old_ones_go_but_never_the_newest() -> None:
    images = [image("a", 1, days=300), image("a", 2, days=200), image("b", 1, days=10)]
    assert gone(images) == ["a-web:r1"]
    assert gone(images, Kept(seconds=400 * DAY)) == []


def test_base_images_are_not_releases() -> None:
    assert gone([image("a", 1, kind="stand-in", days=900)]) == []


@pytest.mark.docker
@pytest.mark.timeout(300)
def test_only_what_is_ours_is_removed(
    docker_daemon: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    app = f"t{uuid.uuid4().hex[:10]}"
    empty = tmp_path_factory.mktemp("empty") / "empty.tar"
    empty.write_bytes(b"\0" * 10240)
    names = []
    for number in range(1, 5):
        name = f"geartrain/{app}-web:r{number}"
        labels = f"geartrain.app={app} geartrain.host=h geartrain.release={number}"
        changes = ["--change", f"LABEL {labels} geartrain.image={name}", "--change", 'CMD ["true"]']
        docker("import", *changes, str(empty), name)
        names.append(name)
    # Somebody's own image upon one of ours has inherited its labels.
    docker("tag", names[0], f"{app}/own:latest")
    docker("image", "rm", names[0])
    container = docker("create", names[1])
    try:
        assert [one.names for one in prune.prune(Kept(releases=1), app=app, dry=True)] == [
            (names[2],)
        ]
        assert [one.names for one in prune.prune(Kept(releases=1), app=app)] == [(names[2],)]
        left = docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()
        assert {f"{app}/own:latest", names[1], names[3]} <= set(left)
        assert names[2] not in left
    finally:
        docker("rm", container)
        docker("image", "rm", f"{app}/own:latest", names[1], names[3])


@pytest.mark.docker
@pytest.mark.timeout(300)
def test_images_of_releases_that_are_gone_go(
    docker_daemon: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    app = f"t{uuid.uuid4().hex[:10]}"
    empty = tmp_path_factory.mktemp("empty") / "empty.tar"
    empty.write_bytes(b"\0" * 10240)
    names = {}
    for host, number in (("h", 1), ("h", 2), ("h", 3), ("other", 1)):
        name = names[host, number] = f"geartrain/{app}-{host}:r{number}"
        labels = f"geartrain.app={app} geartrain.host={host} geartrain.release={number}"
        docker("import", "--change", f"LABEL {labels} geartrain.image={name}", str(empty), name)
    try:
        went = prune.sweep("h", app, {3}, {names["h", 2]})
        assert [one.names for one in went] == [(names["h", 1],)]
    finally:
        docker("image", "rm", names["h", 2], names["h", 3], names["other", 1])
