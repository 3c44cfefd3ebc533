"""The environment that an instance gets: its own, and where its data services are.

What the Compose file sets is never overwritten. A URL in it that names a data
service without saying who logs in is completed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from geartrain.app.credentials import CacheLogins, DatabaseLogins, Login, Logins
from geartrain.app.model import App, Role, Service

Environment = dict[str, str]


def environment(
    app: App, service: Service, logins: Logins, hosts: Mapping[str, str], *, owner: bool = False
) -> Environment:
    """What a service finds in its environment.

    Args:
        app: the whole app.
        service: the service.
        logins: who may log in where.
        hosts: service name → host name or address for the generated variables.
        owner: log in to the database as its owner (for migrations).
    """
    result = {**service.built.environment, **service.environment}
    for database in _used(app, service, Role.DATABASE):
        result = _with_database(result, database, logins.databases, hosts, owner=owner)
    for cache in _used(app, service, Role.CACHE):
        result = _with_cache(result, cache, logins.caches, hosts)
    return result


def _used(app: App, service: Service, role: Role) -> tuple[str, ...]:
    """Data services that a service uses: those it depends on first, then the others."""
    every = [one.name for one in app.of_role(role)]
    named = [one.service for one in service.depends_on if one.service in every]
    return tuple(dict.fromkeys([*named, *every]))


def _with_database(
    env: Environment,
    name: str,
    known: Mapping[str, DatabaseLogins],
    hosts: Mapping[str, str],
    *,
    owner: bool,
) -> Environment:
    logins = known[name]
    login = logins.owner if owner else logins.app
    host = hosts[name]
    generated = {
        "DATABASE_URL": f"postgresql://{_userinfo(login)}@{host}:5432/{_encode(logins.database)}",
        "PGHOST": host,
        "PGPORT": "5432",
        "PGUSER": login.user,
        "PGPASSWORD": login.password,
        "PGDATABASE": logins.database,
        "POSTGRES_HOST": host,
        "POSTGRES_PORT": "5432",
        "POSTGRES_USER": login.user,
        "POSTGRES_PASSWORD": login.password,
        "POSTGRES_DB": logins.database,
    }
    # A declared user keeps its own password: never one half of each.
    for user, password in (("PGUSER", "PGPASSWORD"), ("POSTGRES_USER", "POSTGRES_PASSWORD")):
        if env.get(user) == logins.owner.user:
            generated[password] = logins.owner.password
    schemes = r"(?:postgres|postgresql|psql|pgsql|jdbc:postgresql)(?:\+[a-z0-9]+)?"
    completed = {key: _complete(value, schemes, name, login) for key, value in env.items()}
    return {**generated, **completed}


def _with_cache(
    env: Environment, name: str, known: Mapping[str, CacheLogins], hosts: Mapping[str, str]
) -> Environment:
    login = known[name].app
    host = hosts[name]
    generated = {
        "REDIS_URL": f"redis://{_userinfo(login)}@{host}:6379/0",
        "REDIS_HOST": host,
        "REDIS_PORT": "6379",
        "REDIS_USERNAME": login.user,
        "REDIS_PASSWORD": login.password,
    }
    if known[name].default or known[name].open:
        # The file's own password is that of the default user; a user name would not fit it.
        generated.pop("REDIS_USERNAME")
        generated["REDIS_PASSWORD"] = known[name].default
    completed = {
        key: _complete(value, r"(?:redis|valkey)", name, login) for key, value in env.items()
    }
    return {**generated, **completed}


def _complete(value: str, schemes: str, host: str, login: Login) -> str:
    """Put a login into URLs that name a host and none."""
    pattern = rf"\b({schemes}://)({re.escape(host)})(?=[:/?,\s]|$)"
    return re.sub(pattern, lambda m: f"{m[1]}{_userinfo(login)}@{m[2]}", value)


def _userinfo(login: Login) -> str:
    """`user:password` in a URL (RFC 3986, section 3.2.1)."""
    return f"{_encode(login.user)}:{_encode(login.password)}"


def _encode(text: str) -> str:
    return quote(text, safe="")


def open_by_declaration(app: App, cache: Service) -> bool:
    """True when the Compose file itself has clients log in to this cache without a password.

    It does when a variable names the cache as a bare host and none of that
    service's variables carries a password for it, or with `ALLOW_EMPTY_PASSWORD`;
    or when its sources know of none (`geartrain.load.passwordless`).
    """
    if cache.passwordless:
        return True
    if cache.environment.get("ALLOW_EMPTY_PASSWORD", "").lower() in ("yes", "true", "1"):
        return True
    bare = re.compile(rf"^{re.escape(cache.name)}(:6379)?(/\d+)?$")
    for service in app.services.values():
        env = service.environment
        if any(bare.match(v) and k != "PGHOST" for k, v in env.items()) and not any(
            "REDIS" in k and "PASS" in k for k in env
        ):
            return True
    return False
