"""Which services outlive releases because they hold data that Geartrain knows nothing of."""

from __future__ import annotations

import pytest

from geartrain.app.model import App, Build, Mount, MountKind, Role, Service
from geartrain.app.stores import lasting
from geartrain.testing.apps import app, service, web

VOLUME = Mount(kind=MountKind.VOLUME, source="state", target="/state")


def beside(store: Service) -> App:
    return app(web("app"), store)


@pytest.mark.parametrize(
    "store",
    [
        service("db", image="mysql:8", environment={"MYSQL_DATABASE": "app", "MYSQL_USER": "app"}),
        service("db", image="registry.example/team/mariadb:11"),
        service("bucket", image="minio/minio", mounts=(VOLUME,)),
        service("queue", image="rabbitmq:4", mounts=(VOLUME,), environment={"NAME": "app"}),
        service("db", Role.OTHER, "queue", image="mysql:8"),
    ],
    ids=["mysql", "mariadb", "minio", "rabbitmq", "depends-on-a-store"],
)
def test_a_store_stays(store: Service) -> None:
    of = app(web("app"), store, service("queue", image="mongo:8"))
    assert store.name in lasting(of, {})


@pytest.mark.parametrize(
    "store",
    [
        service("mail", image="axllent/mailpit"),
        service("built", build=Build(context="."), mounts=(VOLUME,)),
        service("migrate", image="mysql:8", one_shot=True),
        service("reads", image="x", mounts=(Mount(kind=MountKind.VOLUME, source="state",
                                                  target="/x", read_only=True),)),
        service("watch", image="prom/prometheus", mounts=(VOLUME,),
                command=("--target", "http://app/metrics")),
        service("watch", image="x", mounts=(VOLUME,), environment={"TARGETS": "app:8000"}),
        service("after", Role.OTHER, "app", image="mysql:8", mounts=(VOLUME,)),
    ],
    ids=["no-data", "built", "runs-once", "reads-alone", "calls", "calls-by-port", "depends"],
)  # fmt: skip
def test_what_else_is_replaced_with_each_release(store: Service) -> None:
    assert lasting(beside(store), {}) == ()


def test_a_file_that_names_an_address_of_a_release_counts_too() -> None:
    of = beside(service("watch", image="prom/prometheus", mounts=(VOLUME,)))
    assert lasting(of, {"watch": "targets: ['other:9090', '127.0.0.1:8000']"}) == ("watch",)
    assert lasting(of, {"watch": "targets: ['app:8000']"}) == ()
