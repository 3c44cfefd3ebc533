"""What an instance finds in its environment about its data services."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from geartrain.app.credentials import CacheLogins, DatabaseLogins, Login, Logins
from geartrain.app.model import App, Build, Dependency, Role, Service
from geartrain.render.environment import environment, open_by_declaration

LOGINS = Logins(
    databases={
        "postgres": DatabaseLogins(
            database="shop",
            superuser=Login("gear_superuser", "su"),
            owner=Login("shop_owner", "own"),
            app=Login("shop_app", "app"),
            reader=Login("shop_read", "read"),
        )
    },
    caches={"redis": CacheLogins(app=Login("app", "secret"))},
)
HOSTS = {"postgres": "127.1.2.3", "redis": "127.1.2.4"}


def shop(**environ: str) -> tuple[App, Service]:
    web = Service(
        name="web",
        role=Role.WEB,
        build=Build(context="."),
        environment=environ,
        depends_on=(Dependency(service="postgres"), Dependency(service="redis")),
    )
    services = {
        "web": web,
        "postgres": Service(name="postgres", role=Role.DATABASE, image="postgres:16"),
        "redis": Service(name="redis", role=Role.CACHE, image="redis:7"),
    }
    return App(name="shop", services=services), web


def found(**environ: str) -> dict[str, str]:
    app, web = shop(**environ)
    return environment(app, web, LOGINS, HOSTS)


def test_a_service_finds_its_database_and_its_cache() -> None:
    env = found()
    assert env["DATABASE_URL"] == "postgresql://shop_app:app@127.1.2.3:5432/shop"
    assert env["REDIS_URL"] == "redis://app:secret@127.1.2.4:6379/0"
    assert (env["PGHOST"], env["PGUSER"], env["PGDATABASE"]) == ("127.1.2.3", "shop_app", "shop")
    assert env["POSTGRES_PASSWORD"] == env["PGPASSWORD"] == "app"
    assert (env["REDIS_HOST"], env["REDIS_PASSWORD"]) == ("127.1.2.4", "secret")


def test_migrations_log_in_as_the_owner() -> None:
    app, web = shop()
    env = environment(app, web, LOGINS, HOSTS, owner=True)
    assert env["DATABASE_URL"] == "postgresql://shop_owner:own@127.1.2.3:5432/shop"


def test_what_the_file_says_is_never_overwritten() -> None:
    mine = "postgresql://me:pw@elsewhere/db"
    assert found(DATABASE_URL=mine)["DATABASE_URL"] == mine


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("redis://redis:6379/1", "redis://app:secret@redis:6379/1"),
        ("redis://redis", "redis://app:secret@redis"),
        ("redis://:pw@redis:6379", "redis://:pw@redis:6379"),
        ("redis://redis.example.com", "redis://redis.example.com"),
        ("postgresql+asyncpg://postgres/shop", "postgresql+asyncpg://shop_app:app@postgres/shop"),
        ("postgres://me:pw@postgres/shop", "postgres://me:pw@postgres/shop"),
        ("see redis for more", "see redis for more"),
    ],
)
def test_a_url_without_a_login_is_completed(said: str, meant: str) -> None:
    assert found(SOME_URL=said)["SOME_URL"] == meant


def test_a_declared_owner_keeps_its_own_password() -> None:
    env = found(POSTGRES_USER="shop_owner")
    assert env["POSTGRES_PASSWORD"] == "own"


@given(st.text(min_size=1).filter(lambda text: "\0" not in text))
def test_any_password_survives_its_url(password: str) -> None:
    app, web = shop()
    known = LOGINS.databases["postgres"]
    logins = Logins(
        databases={
            "postgres": DatabaseLogins(
                database=known.database,
                superuser=known.superuser,
                owner=known.owner,
                app=Login("shop_app", password),
                reader=known.reader,
            )
        },
        caches=LOGINS.caches,
    )
    url = urlsplit(environment(app, web, logins, HOSTS)["DATABASE_URL"])
    assert unquote(url.password or "", errors="surrogatepass") == password
    assert url.hostname == "127.1.2.3"


@pytest.mark.parametrize(
    ("environ", "open_"),
    [
        ({"REDIS_HOST": "redis"}, True),
        ({"CACHE": "redis:6379"}, True),
        ({"REDIS_HOST": "redis", "REDIS_PASSWORD": "x"}, False),
        ({"REDIS_URL": "redis://redis:6379"}, False),
        ({}, False),
    ],
)
def test_a_cache_is_open_only_where_the_file_logs_in_without_a_password(
    environ: dict[str, str], open_: bool
) -> None:
    app, _ = shop(**environ)
    assert open_by_declaration(app, app.services["redis"]) is open_


def test_a_cache_is_open_where_nothing_knows_its_password() -> None:
    app, _ = shop()
    cache = replace(app.services["redis"], passwordless=True)
    assert open_by_declaration(app, cache)
