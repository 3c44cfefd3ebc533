"""Parts of the server are killed or hang: how long until it answers again, and nobody helps."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import until
from tests.lab.laptop import Clone
from tests.lab.pace import asking
from tests.lab.site import Site
from tests.lab.table import Table

CONTAINERS = ("postgres", "redis", "backend")
UNITS = {"dockerd": "docker", "containerd": "containerd", "the watcher": "geartrain-watch"}


@pytest.fixture(scope="module")
def table() -> Iterator[Table]:
    made = Table("kill -9", "requests", "lost", "answers again, s", "all as it should be, s")
    yield made
    made.show()


def pid_in_docker(site: Site, label: str) -> str:
    """The first process of the one container with a label, as the server numbers it."""
    found = f"docker inspect --format '{{{{.State.Pid}}}}' $(docker ps -q --filter label={label})"
    pid = site.laptop.root(found).out.strip()
    assert pid.isdigit(), pid
    return pid


def pid_of_unit(site: Site, unit: str) -> str:
    pid = site.laptop.root(f"systemctl show --property=MainPID --value {unit}").out.strip()
    assert int(pid) > 0, f"{unit} does not run"
    return pid


def recovers(site: Site, table: Table, what: str, pid: str, signal: str = "KILL") -> list[str]:
    """Send a process a signal, and wait until all is as before; the requests that were lost."""
    live = site.settled()
    with asking(site) as seen:
        began = time.monotonic()
        site.laptop.root(f"kill -{signal} {pid}")
        until(lambda: _is_over(site, pid), f"{what} runs anew", 120)
        until(lambda: site.laptop.root("docker info", code=None).code == 0, "Docker answers")
        assert site.settled() == live
        settled = time.monotonic() - began
    lost = seen.lost()
    table.add(what, str(len(seen.every)), str(len(lost)), seen.answered_since(began), settled)
    return lost


def _is_over(site: Site, pid: str) -> bool:
    return site.laptop.root(f"test -e /proc/{pid}", code=None).code == 1


@pytest.mark.parametrize("what", UNITS)
def test_containers_outlive_what_started_them(site: Site, table: Table, what: str) -> None:
    """Also an answer that takes PostgreSQL and Redis, connected to anew, is there meanwhile."""
    assert recovers(site, table, what, pid_of_unit(site, UNITS[what])) == []
    active = f"systemctl is-active {UNITS[what]}"
    until(lambda: site.laptop.root(active, code=None).code == 0, f"{what} is back")


@pytest.mark.parametrize("service", CONTAINERS)
def test_a_container_that_dies_is_started_again(site: Site, table: Table, service: str) -> None:
    rows = site.rows()
    recovers(site, table, service, pid_in_docker(site, f"geartrain.service={service}"))
    assert site.rows() == rows


def test_a_web_instance_that_hangs_is_restarted(site: Site, table: Table) -> None:
    first = pid_in_docker(site, "geartrain.service=backend")
    pids = site.laptop.root(f"echo {first} $(pgrep --parent {first})").out.split()
    assert len(pids) == 2, "its own first process, and the app"
    lost = recovers(site, table, "SIGSTOP: a web instance", pids[-1], "STOP")
    assert lost, "it did not hang"
    newest = site.clone.events()[0]
    assert (newest["what"], newest["service"]) == ("restarted", "backend")


def test_the_edge_is_started_again(site: Site, table: Table) -> None:
    recovers(site, table, "the edge's nginx", pid_in_docker(site, "geartrain.role=edge"))


def test_an_app_that_crashes_all_the_time_leaves_its_neighbour_alone(
    site: Site, table: Table
) -> None:
    site.laptop.gear("app", "create", "loop")
    loop = Clone(site.laptop, "loop", Path(__file__).parent / "loop")
    loop.commit("first")
    try:
        loop.push()
        until(lambda: _restarts(site) >= 1, "it has crashed once")
        with asking(site) as seen:
            before = _restarts(site)
            until(lambda: _restarts(site) >= before + 3, "it crashes again and again", 120)
        sys.stderr.write(f"\n{len(seen.every)} requests to its neighbour meanwhile\n")
        assert seen.lost() == []
        troubles = {one["app"]: one["state"] for one in
                    site.laptop.gear("status", "--json", code=None).json()}  # fmt: skip
        assert troubles["shop"] == "ok"
    finally:
        site.laptop.gear("destroy", "loop", "--data", "--yes", code=None)


def _restarts(site: Site) -> int:
    ids = "$(docker ps --all -q --filter label=geartrain.app=loop)"
    counted = site.laptop.root(f"docker inspect --format '{{{{.RestartCount}}}}' {ids}").out
    return sum(map(int, counted.split()))
