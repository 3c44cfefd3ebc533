"""Waiting for containers, by what Docker tells of them."""

from __future__ import annotations

import os
import socket
from typing import Any

import msgspec
import pytest

from geartrain.app.release import InstanceId
from geartrain.engine.docker import readiness
from geartrain.engine.docker.observing import Container
from geartrain.engine.docker.readiness import Awaited, wait
from geartrain.render import containers
from tests.engine.embedded.supervisor_lab import address
from tests.ports import free_port


def told(port: int, where: str) -> Container:
    """What Docker says of a container whose process is this one."""
    raw: dict[str, Any] = {
        "Id": "c", "Name": "/shop-web-1", "HostConfig": {},
        "State": {"Status": "running", "Pid": os.getpid()},
        "Config": {"Labels": {containers.PROBE: f"tcp:{port}"}},
        "NetworkSettings": {"Networks": {"shop": {"IPAddress": where}}},
    }  # fmt: skip
    return msgspec.convert(raw, Container)


def test_an_address_that_is_told_late_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    where, port = address(), free_port()
    answers = iter([told(port, "")])
    monkeypatch.setattr(
        readiness, "inspect", lambda *_: (next(answers, None) or told(port, where),)
    )
    web = Awaited(
        id=InstanceId(service="web", release=1, index=1), container="shop-web-1", within=20
    )
    with socket.create_server((where, port)):
        (outcome,) = wait([web])
    assert outcome.ok, outcome.reason
