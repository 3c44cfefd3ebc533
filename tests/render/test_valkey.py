"""Redis's own files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geartrain.app.credentials import CacheLogins, Login
from geartrain.app.model import Keep, Limits, Mount, MountKind, Role, Service
from geartrain.app.policy import ServicePolicy
from geartrain.render import valkey

LOGINS = CacheLogins(app=Login("app", "secret"))


def cache(*command: str, **rest: object) -> Service:
    return Service(name="redis", role=Role.CACHE, command=command or None, **rest)  # type: ignore[arg-type]  # fields of Service


def conf(service: Service, logins: CacheLogins = LOGINS) -> list[str]:
    files = valkey.files(service, logins, "127.1.2.4", "/data/redis")
    return files["conf/valkey.conf"].text.splitlines()


@pytest.mark.parametrize(
    ("service", "keep"),
    [
        (cache(), Keep.EVICT),
        (cache("redis-server", "--appendonly", "yes"), Keep.DURABLE),
        (cache("sh", "-c", "redis-server --save 60 1"), Keep.DURABLE),
        (cache(mounts=(Mount(kind=MountKind.VOLUME, source="r", target="/data"),)), Keep.DURABLE),
        (cache("--appendonly", "yes", gear=ServicePolicy(keep=Keep.EVICT)), Keep.EVICT),
    ],
)
def test_one_word_decides_between_a_cache_and_a_queue(service: Service, keep: Keep) -> None:
    assert valkey.keep_of(service) is keep
    durable = keep is Keep.DURABLE
    assert ("appendonly yes" in conf(service)) is durable
    assert ("maxmemory-policy noeviction" in conf(service)) is durable


def test_it_leaves_room_below_its_memory_limit() -> None:
    assert f"maxmemory {96 * 2**20}" in conf(cache(limits=Limits(memory=128 * 2**20)))


def test_nobody_gets_in_without_a_password() -> None:
    acl = valkey.files(cache(), LOGINS, "127.1.2.4", "/d")["conf/users.acl"]
    assert acl.mode == 0o600
    assert "user default off" in acl.text.splitlines()
    assert "secret" not in acl.text


def test_a_declared_password_is_the_default_users() -> None:
    service = cache("redis-server", "--requirepass", "pw")
    assert valkey.declared_password(service) == "pw"
    acl = valkey.files(service, CacheLogins(app=LOGINS.app, default="pw"), "127.1.2.4", "/d")
    assert "user default on #" in acl["conf/users.acl"].text


@given(st.text(min_size=1))
def test_no_password_adds_a_rule(password: str) -> None:
    logins = CacheLogins(app=Login("app", password.encode("utf-8", "replace").decode()))
    text = valkey.files(cache(), logins, "127.1.2.4", "/d")["conf/users.acl"].text
    assert len(text.splitlines()) == 2
