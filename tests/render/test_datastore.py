"""Where a data service keeps its data, and mounts that would lose it."""

from __future__ import annotations

import pytest

from geartrain.app.model import Mount, MountKind, Service
from geartrain.errors import InvalidError
from geartrain.render.datastore import place
from geartrain.testing.apps import postgres

OLD = ("/var/lib/postgresql/data", ("/var/lib/postgresql/data",))  # PostgreSQL up to 17
NEW = ("/var/lib/postgresql/18/docker", ("/var/lib/postgresql",))


def mounted(target: str, source: str = "pgdata", kind: MountKind = MountKind.VOLUME) -> Service:
    return postgres(mounts=(Mount(kind=kind, source=source, target=target),))


def test_without_a_mount_the_images_own_volume_gets_a_name() -> None:
    for (folder, volumes), target, below in (
        (OLD, "/var/lib/postgresql/data", "."),
        (NEW, "/var/lib/postgresql", "18/docker"),
    ):
        found = place(postgres(), folder, volumes)
        assert (found.target, found.below, found.volume) == (target, below, "")


@pytest.mark.parametrize(
    ("image", "target", "below"),
    [
        (OLD, "/var/lib/postgresql/data", "."),
        (OLD, "/var/lib/postgresql/data/", "."),
        (NEW, "/var/lib/postgresql", "18/docker"),
        (NEW, "/var/lib/postgresql/18/docker", "."),
        (("/data/pg", ()), "/data", "pg"),
    ],
)
def test_a_mount_above_the_data_keeps_it(
    image: tuple[str, tuple[str, ...]], target: str, below: str
) -> None:
    found = place(mounted(target), *image)
    assert (found.target, found.below) == (target.rstrip("/"), below)
    assert found.volume == "pgdata"


@pytest.mark.parametrize(
    ("image", "target", "right"),
    [
        (OLD, "/var/lib/postgresql", "/var/lib/postgresql/data"),
        (NEW, "/var/lib/postgresql/data", "/var/lib/postgresql"),
        (OLD, "/var/lib/postgresql/15/main", "/var/lib/postgresql/data"),
    ],
)
def test_a_mount_that_misses_the_data_is_refused(
    image: tuple[str, tuple[str, ...]], target: str, right: str
) -> None:
    with pytest.raises(InvalidError, match=f"the mount at {target} would not keep") as error:
        place(mounted(target), *image)
    assert error.value.remedy.startswith(f"mount it at {right};")


def test_init_scripts_and_other_mounts_are_not_meant_for_the_data() -> None:
    for target in ("/docker-entrypoint-initdb.d", "/docker-entrypoint-initdb.d/a.sql", "/backup"):
        found = place(mounted(target, "init", MountKind.BIND), *NEW)
        assert (found.target, found.mount) == ("/var/lib/postgresql", None)


def test_a_folder_of_the_author_is_no_volume() -> None:
    found = place(mounted("/var/lib/postgresql/data", "data", MountKind.BIND), *OLD)
    assert found.mount is not None
    assert found.volume == ""
