"""How an instance that does not run is taken: brought back, or left as somebody wants it."""

from __future__ import annotations

import msgspec
import pytest

from geartrain.app.model import Restart, RestartPolicy, Role, Service
from geartrain.engine.docker.observing import Container
from geartrain.render import containers
from geartrain.server.watch.judge import Found
from geartrain.server.watch.looking import at_rest

WEB = Service(name="web", role=Role.WEB)


def seen(status: str, code: int = 0, probe: str = "http:8080:/") -> Container:
    """A container as Docker tells of it."""
    told = {
        "Id": "1",
        "Name": "/web",
        "State": {"Status": status, "ExitCode": code},
        "Config": {"Labels": {containers.PROBE: probe}},
        "NetworkSettings": {},
        "HostConfig": {},
    }
    return msgspec.json.decode(msgspec.json.encode(told), type=Container)


def test_one_that_is_not_there_comes_back() -> None:
    assert at_rest(None, WEB) == (Found.GONE, "its container was gone")


@pytest.mark.parametrize("status", ["exited", "dead", "created"])
def test_one_that_nobody_starts_again_comes_back(status: str) -> None:
    found = at_rest(seen(status, 137), WEB)
    assert found
    assert found[0] is Found.GONE
    assert "Docker did not start it again" in found[1]


@pytest.mark.parametrize("status", ["restarting", "paused"])
def test_docker_s_pauses_and_people_s_are_left_alone(status: str) -> None:
    assert at_rest(seen(status), WEB) == (Found.STARTING, "")


@pytest.mark.parametrize("policy", [RestartPolicy.NEVER, RestartPolicy.ON_FAILURE])
def test_what_its_author_lets_end_stays_ended(policy: RestartPolicy) -> None:
    service = msgspec.structs.replace(WEB, restart=Restart(policy=policy))
    assert at_rest(seen("exited", 1), service) == (Found.WELL, "")
    assert at_rest(None, service) == (Found.GONE, "its container was gone")


def test_a_job_waits_for_its_time() -> None:
    job = Service(name="job", role=Role.JOB)
    for status in ("created", "exited"):
        assert at_rest(seen(status, 3, "schedule"), job) == (Found.WELL, "")


def test_one_that_runs_has_to_be_asked() -> None:
    assert at_rest(seen("running"), WEB) is None
