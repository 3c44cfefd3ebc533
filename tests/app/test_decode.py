"""Decoding what Compose resolved: values, and that nothing brings it down."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geartrain.app import compose, ports, roles
from geartrain.app.keys import SERVICE_KEYS
from geartrain.app.model import Condition, Healthcheck, MountKind, Order, RestartPolicy, Service
from geartrain.app.policy import ServicePolicy


def service(**keys: Any) -> Service:
    decoded = compose.decode({"services": {"web": {"image": "app", **keys}}}, project="/p")
    assert decoded.findings == ()
    return decoded.app.services["web"]


def wrong(**keys: Any) -> list[str]:
    decoded = compose.decode({"services": {"web": {"image": "app", **keys}}}, project="/p")
    return [f"{'.'.join(map(str, f.path))}: {f.what}" for f in decoded.findings]


@pytest.mark.parametrize(
    ("keys", "policy", "attempts", "once"),
    [
        ({}, RestartPolicy.ALWAYS, None, False),
        ({"restart": "unless-stopped"}, RestartPolicy.ALWAYS, None, False),
        ({"restart": "on-failure:3"}, RestartPolicy.ON_FAILURE, 3, False),
        ({"restart": "on-failure"}, RestartPolicy.ON_FAILURE, None, False),
        ({"restart": "no"}, RestartPolicy.NEVER, None, True),
        ({"restart": "no", "ports": [{"target": 80}]}, RestartPolicy.NEVER, None, False),
        (
            {"restart": "always", "deploy": {"restart_policy": {"condition": "none"}}},
            RestartPolicy.NEVER,
            None,
            True,
        ),
        (
            {"deploy": {"restart_policy": {"condition": "on-failure", "max_attempts": 2}}},
            RestartPolicy.ON_FAILURE,
            2,
            False,
        ),
        ({"deploy": {"restart_policy": {"condition": "any"}}}, RestartPolicy.ALWAYS, None, False),
    ],
)
def test_restart(
    keys: dict[str, Any], policy: RestartPolicy, attempts: int | None, once: bool
) -> None:
    found = service(**keys)
    assert (found.restart.policy, found.restart.max_attempts) == (policy, attempts)
    assert found.one_shot is once


@pytest.mark.parametrize(
    ("check", "found"),
    [
        (None, None),
        ({"disable": True}, None),
        ({"test": ["NONE"]}, None),
        ({"test": ["CMD", "a", "b"]}, Healthcheck(test=("a", "b"))),
        (
            {"test": ["CMD-SHELL", "a || b"], "interval": "1m30s", "retries": 5, "timeout": "2s"},
            Healthcheck(test=("/bin/sh", "-c", "a || b"), interval=90.0, retries=5, timeout=2.0),
        ),
    ],
)
def test_healthcheck(check: dict[str, Any] | None, found: Healthcheck | None) -> None:
    assert service(healthcheck=check).healthcheck == found


def test_deploy() -> None:
    found = service(
        scale=2,
        deploy={
            "replicas": 3,
            "resources": {"limits": {"memory": "536870912", "cpus": 0.5, "pids": 9}},
            "update_config": {"order": "stop-first", "delay": "3s", "parallelism": 1},
        },
    )
    assert found.replicas == 3
    assert (found.limits.memory, found.limits.cpus, found.limits.pids) == (512 << 20, 0.5, 9)
    assert (found.update.order, found.update.delay) == (Order.STOP_FIRST, 3.0)
    assert service(scale=0).replicas == 0
    assert service(mem_limit="1024", cpus="2", pids_limit=-1).limits.memory == 1024


def test_mounts_and_grants() -> None:
    found = service(
        volumes=[
            {"type": "bind", "source": "/p/data", "target": "/d", "read_only": True},
            {"type": "volume", "source": "v", "target": "/v"},
            {"type": "bind", "source": "/p", "target": "/app"},
        ],
        tmpfs=["/tmp:size=1m"],
        secrets=[{"source": "s", "mode": "0400"}, {"source": "s", "target": "x"}],
        configs=[{"source": "c"}],
    )
    assert [(m.kind, m.source, m.target, m.read_only) for m in found.mounts] == [
        (MountKind.BIND, "data", "/d", True),
        (MountKind.VOLUME, "v", "/v", False),
        (MountKind.BIND, ".", "/app", False),
        (MountKind.TMPFS, "", "/tmp", False),
    ]
    assert [(s.target, s.mode) for s in found.secrets] == [
        ("/run/secrets/s", 0o400),
        ("/run/secrets/x", 0o444),
    ]
    assert found.configs[0].target == "/c"


def test_environment_takes_the_callers_values_for_keys_without_one() -> None:
    config = {"services": {"web": {"image": "a", "environment": {"A": None, "B": None, "C": 1}}}}
    decoded = compose.decode(config, project="/p", environ={"A": "caller"})
    assert decoded.app.services["web"].environment == {"A": "caller", "C": "1"}


def test_published_ports() -> None:
    entries = [
        {"target": 80, "published": "8080", "host_ip": "127.0.0.1"},
        {"target": 90, "published": "6000-6005"},
        {"target": 9},
    ]
    found = service(ports=entries).ports
    assert [(p.target, p.published, p.host_ip) for p in found] == [
        (80, 8080, "127.0.0.1"),
        (90, 6000, ""),
        (9, None, ""),
    ]


def test_aliases_links_and_notices() -> None:
    decoded = compose.decode(
        {
            "services": {
                "web": {"image": "a", "links": ["db:database", "db"]},
                "db": {
                    "image": "b",
                    "container_name": "shop-db",
                    "networks": {"default": {"aliases": ["pg", "db"]}},
                },
            }
        },
        project="/p",
        order=["web", "db"],
    )
    assert list(decoded.app.services) == ["web", "db"]
    assert decoded.app.services["db"].aliases == ("shop-db", "pg", "database")
    assert decoded.notices == (
        (
            "`container_name`: kept as network names (shop-db); instances have names of their"
            " own, so that two releases can run side by side"
        ),
    )


def test_what_others_wait_for_runs_once() -> None:
    waits = {"migrate": {"condition": "service_completed_successfully"}}
    config = {
        "services": {"web": {"image": "a", "depends_on": waits}, "migrate": {"image": "a"}},
    }
    found = compose.decode(config, project="/p").app.services
    assert found["migrate"].one_shot
    assert found["migrate"].restart.policy is RestartPolicy.NEVER
    assert found["web"].depends_on[0].condition is Condition.COMPLETED


def test_a_service_that_names_the_image_of_a_built_one_is_built_too() -> None:
    config = {
        "services": {
            "web": {"image": "shop", "build": {"context": "/p/app"}},
            "worker": {"image": "shop", "command": ["work"]},
        }
    }
    found = compose.decode(config, project="/p").app.services
    assert found["worker"].build == found["web"].build
    assert found["web"].build is not None
    assert found["web"].build.context == "app"


def test_docker_only_keys_are_kept_as_they_are() -> None:
    assert service(ulimits={"nofile": 9}, init=True, tty=True).rest == {
        "ulimits": {"nofile": 9},
        "init": True,
    }


def test_all_that_is_wrong_is_told() -> None:
    assert wrong(
        stop_grace_period="soon",
        restart="sometimes",
        ports=[{"target": 99999}, {"target": 1, "published": "x"}],
        volumes=[{"type": "npipe", "target": "/x"}],
        healthcheck={"test": ["CMD"]},
        deploy={"update_config": {"order": "sideways"}, "replicas": -1},
    ) == [
        (
            "services.web.restart: 'sometimes' is not one of always, unless-stopped, on-failure,"
            " on-failure:N, no"
        ),
        "services.web.stop_grace_period: 'soon' must be a duration such as 30s, 1m30s or 500ms",
        "services.web.healthcheck.test: ['CMD'] names no command",
        "services.web.deploy.replicas: -1 must be a whole number, at least 0 and at most 1000",
        "services.web.deploy.update_config.order: 'sideways' is not one of start-first, stop-first",
        "services.web.volumes.0.type: 'npipe' is not supported",
        "services.web.ports.0.target: 99999 must be a whole number, at least 1 and at most 65535",
        "services.web.ports.1.published: 'x' is not a port or a range of ports",
    ]


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
    st.sampled_from(["no", "1m", "512m", "CMD", "NONE", "on-failure:x", "/a", "..", "0-9", "²"]),
)  # fmt: skip
INNER = st.sampled_from(
    ["test", "type", "source", "target", "mode", "published", "replicas", "resources", "limits",
     "memory", "cpus", "update_config", "order", "monitor", "context", "args", "condition",
     "restart_policy", "interval", "retries", "aliases", "default", "x", ""]
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(INNER, inner, max_size=3),
    max_leaves=8,
)
GEAR = st.dictionaries(
    st.sampled_from(ServicePolicy.__struct_fields__) | st.text(max_size=5), VALUES, max_size=4
)
SERVICES = st.dictionaries(st.sampled_from(sorted(SERVICE_KEYS)), VALUES, max_size=6).flatmap(
    lambda keys: (GEAR | VALUES).map(lambda gear: {**keys, "x-gear": gear})
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.fixed_dictionaries(
        {
            "services": st.dictionaries(st.text(max_size=4), SERVICES | VALUES, max_size=3),
            "secrets": VALUES,
            "configs": VALUES,
            "volumes": VALUES,
            "name": SCALARS,
            "x-gear": GEAR | VALUES,
        }
    )
    | VALUES
)
def test_no_value_brings_down_the_decoder(config: object) -> None:
    decoded = compose.decode(config, project="/p")
    if not decoded.findings:
        ports.with_ports(roles.with_roles(decoded.app).app)
