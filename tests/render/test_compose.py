"""The Compose files that Geartrain hands to Compose, as whole trees."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from geartrain.app.model import (
    App,
    Healthcheck,
    Limits,
    Mount,
    MountKind,
    Restart,
    RestartPolicy,
    Role,
    Service,
)
from geartrain.app.release import InstanceId, Release, instances
from geartrain.load.resolve import binary
from geartrain.render import compose, containers
from geartrain.testing.apps import app, job, one_shot, release, service, web, worker

from .nginx.apps import Golden

VOLUME = Mount(kind=MountKind.VOLUME, source="uploads", target="/app/uploads")
CASES: dict[str, App] = {
    "web": app(web()),
    "replicas": app(web(replicas=2)),
    "worker": app(web(), worker("mail", restart=Restart(policy=RestartPolicy.ON_FAILURE))),
    "limits": app(web(limits=Limits(memory=2**28, cpus=0.5, pids=100))),
    "volumes": app(
        web(
            mounts=(
                VOLUME,
                Mount(kind=MountKind.VOLUME, source="", target="/app/node_modules"),
                Mount(kind=MountKind.TMPFS, target="/scratch"),
            )
        )
    ),
    "healthcheck": app(web(healthcheck=Healthcheck(test=("pg_isready", "-q"), interval=5.0))),
    "command": app(
        web(
            command=("sh", "-c", "echo $HOME ${X}"), entrypoint=(), user="1000",
            working_dir="/srv", stop_signal="SIGINT", stop_grace=45.0,
        )
    ),
    "one-shot-and-job": app(one_shot(), job()),
    "rest": app(
        web(
            rest={
                "labels": {"team": "a", "geartrain.app": "another"}, "shm_size": "1gb",
                "cap_drop": [], "init": False, "ulimits": {"nofile": 4096},
            }
        )
    ),
    "rights": app(web(rest={"cap_add": ["NET_ADMIN"], "devices": ["/dev/fuse:/dev/fuse"]})),
    "aliases": app(web(aliases=("api", "web-1")), service("web-1", Role.OTHER, image="x")),
}  # fmt: skip


def seventh(of: App) -> Release:
    return replace(release(7, of), fingerprint="f" * 20)


def around(made: Release, *, root: bool = True) -> compose.Surroundings:
    services = [s for s in made.app.services.values() if s.stateless]
    ids = [one for s in services for one in instances(made, s)]
    return compose.Surroundings(
        host="0a1b2c3d",
        app="shop",
        base="shop",
        network="shop--r7",
        networks=("shop--data",),
        images={s.name: compose.ImageFacts(name=f"{s.name}:7", root=root) for s in services},
        environments={s.name: {"GEAR_RELEASE": "7", "PRICE": "5$"} for s in services},
        addresses={one: f"10.0.0.{number + 2}" for number, one in enumerate(ids)},
        probes={s.name: "tcp:8080" for s in services},
    )


@pytest.mark.parametrize("case", CASES)
def test_goldens(case: str, golden: Golden) -> None:
    made = seventh(CASES[case])
    golden(f"compose/{case}", {"compose.json": (0o600, compose.release_file(made, around(made)))})


@pytest.mark.programs
@pytest.mark.parametrize("case", CASES)
def test_compose_reads_it_as_it_is_meant(case: str, tmp_path: Path) -> None:
    made = seventh(CASES[case])
    text = compose.release_file(made, around(made))
    (tmp_path / "compose.json").write_text(text)
    done = subprocess.run(
        [*binary({"PATH": "/usr/bin"}), "--file", tmp_path / "compose.json", "config",
         "--format", "json"],
        capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin", "HOME": str(tmp_path)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    read = json.loads(done.stdout)
    for one, key in containers.keys(made).items():
        assert read["services"][key]["container_name"] == containers.container("shop", one)
        assert read["services"][key]["environment"]["PRICE"] in ("5$", "5$$")


def test_a_one_off_runs_its_words_alone_and_is_reached_by_nobody(golden: Golden) -> None:
    made = seventh(app(web(entrypoint=None, command=("serve",), mounts=(VOLUME,))))
    text = compose.one_off_file(
        made, made.app.services["web"], ("python", "migrate.py", "a b", "$X"), around(made)
    )
    golden("compose/one-off", {"compose.json": (0o600, text)})


def test_names_of_data_services_need_no_daemon_unless_the_author_has_them() -> None:
    theirs = {"extra_hosts": ["cache=192.0.2.1"]}
    made = seventh(app(web(rest=theirs), worker()))
    known = replace(around(made), names={"db": "10.0.1.2", "cache": "10.0.1.3"})
    found = json.loads(compose.release_file(made, known))["services"]
    assert found["web-1"]["extra_hosts"] == ["cache=192.0.2.1", "db=10.0.1.2"]
    assert found["worker-1"]["extra_hosts"] == ["db=10.0.1.2", "cache=10.0.1.3"]


def test_an_image_that_is_nobody_gets_no_rights_at_all() -> None:
    made = seventh(app(web()))
    text = compose.release_file(made, around(made, root=False))
    found = json.loads(text)["services"]["web-1"]
    assert found["cap_drop"] == ["ALL"]
    assert "cap_add" not in found


def test_the_user_of_the_compose_file_decides_before_the_images() -> None:
    for user, root in (("1000:1000", False), ("root", True), ("0", True), ("app", False)):
        made = seventh(app(web(user=user)))
        found = json.loads(compose.release_file(made, around(made)))["services"]["web-1"]
        assert ("cap_add" in found) is root


def test_every_instance_has_a_key_that_is_no_service() -> None:
    made = seventh(app(web("web", replicas=2), worker("web-1"), worker("web-1-1")))
    keys = containers.keys(made)
    names = {*made.app.services}
    assert len(set(keys.values())) == 4
    assert not names & set(keys.values())


def test_labels_name_the_instance_again() -> None:
    made: Service = web()
    for one in (InstanceId(service="web", release=7, index=2), InstanceId(service="db")):
        said = containers.labels("host", "shop", one, replace(made, name=one.service), "d", "tcp:1")
        assert containers.identify(said) == one
    assert containers.identify({}) is None
    assert containers.identify({containers.SERVICE: "web", containers.INDEX: "x"}) is None
