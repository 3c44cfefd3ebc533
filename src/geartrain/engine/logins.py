"""The passwords of a host: generated once, kept 0600, or as the Compose file says."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec
from msgspec.structs import replace

from geartrain import durable
from geartrain.app.credentials import CacheLogins, DatabaseLogins, Login, Logins
from geartrain.app.model import App, Role, Service, Source
from geartrain.errors import InvalidError
from geartrain.render import valkey
from geartrain.render.environment import open_by_declaration

SUPERUSER = "gear_superuser"


def ensure(
    app: App,
    file: Path,
    project: Path,
    environ: Mapping[str, str],
    secret: Mapping[str, str] | None = None,
) -> Logins:
    """The logins of every data service, generated where nobody has said them.

    Args:
        app: the app.
        file: where generated ones are kept.
        project: folder that secret files are relative to.
        environ: where secrets from the environment come from.
        secret: secrets that no file is to have, not even this one.

    Raises:
        InvalidError: a secret that a password comes from is not there.
    """
    known = msgspec.json.decode(file.read_bytes(), type=Logins) if file.exists() else Logins()
    databases = {
        service.name: _database(app, service, known.databases.get(service.name), project, environ)
        for service in app.of_role(Role.DATABASE)
    }
    caches = {
        service.name: _cache(app, service, known.caches.get(service.name))
        for service in app.of_role(Role.CACHE)
    }
    # Those of a service that has gone stay: its data does too.
    logins = Logins(databases={**known.databases, **databases}, caches={**known.caches, **caches})
    kept = _without(logins, known, (secret or {}).values())
    if kept != known:
        durable.write(file, msgspec.json.format(msgspec.json.encode(kept)), mode=0o600)
    return logins


def _without(logins: Logins, known: Logins, secret: Collection[str]) -> Logins:
    """What is kept: of a password that is a secret, what it would be if it were none."""

    def is_secret(password: str) -> bool:
        return bool(password) and any(value and value in password for value in secret)

    def database(name: str, one: DatabaseLogins) -> DatabaseLogins:
        if not is_secret(one.owner.password):
            return one
        before = known.databases.get(name)
        password = before.owner.password if before else _new()
        return replace(one, owner=Login(one.owner.user, password))

    databases = {name: database(name, one) for name, one in logins.databases.items()}
    caches = {
        name: replace(one, default="") if is_secret(one.default) else one
        for name, one in logins.caches.items()
    }
    return Logins(databases=databases, caches=caches)


def _database(
    app: App,
    service: Service,
    known: DatabaseLogins | None,
    project: Path,
    environ: Mapping[str, str],
) -> DatabaseLogins:
    env = service.environment
    user = _value(app, service, "POSTGRES_USER", project, environ)
    password = _value(app, service, "POSTGRES_PASSWORD", project, environ)
    if password and not user:
        user = "postgres"  # the image's own default
    base = app.name.replace("-", "_")
    database = env.get("POSTGRES_DB") or user or base
    owner = Login(
        user or f"{base}_owner",
        password or (known.owner.password if known else _new()),
    )
    return DatabaseLogins(
        database=database,
        superuser=known.superuser if known else Login(SUPERUSER, _new()),
        owner=owner,
        app=Login(f"{base}_app", known.app.password if known else _new()),
        reader=Login(f"{base}_read", known.reader.password if known else _new()),
    )


def _cache(app: App, service: Service, known: CacheLogins | None) -> CacheLogins:
    return CacheLogins(
        app=known.app if known else Login("app", _new()),
        default=valkey.declared_password(service),
        open=open_by_declaration(app, service),
    )


def _value(app: App, service: Service, key: str, project: Path, environ: Mapping[str, str]) -> str:
    """`KEY`, or what the file named by `KEY_FILE` says (the official images' convention)."""
    if value := service.environment.get(key):
        return value
    path = service.environment.get(f"{key}_FILE")
    if not path:
        return ""
    for grant in service.secrets:
        if grant.target == path:
            return read_source(app.secrets[grant.source], grant.source, project, environ).strip()
    raise InvalidError(
        f"{path} is none of the service's secrets",
        where=f"services.{service.name}.environment.{key}_FILE",
        remedy=f"add the secret to services.{service.name}.secrets",
    )


def read_source(source: Source, name: str, project: Path, environ: Mapping[str, str]) -> str:
    """The text of a secret or config.

    Raises:
        InvalidError: its file or variable is not there.
    """
    if source.content is not None:
        return source.content
    if source.environment is not None:
        if source.environment not in environ:
            raise InvalidError(
                f"the environment variable {source.environment} is not set",
                where=f"secrets.{name}.environment",
            )
        return environ[source.environment]
    path = project / (source.file or "")
    try:
        return path.read_text()
    except OSError as error:
        raise InvalidError(
            f"{path} cannot be read: {error.strerror}",
            where=f"secrets.{name}.file",
            remedy="create it; it stays out of Git",
        ) from error


def _new() -> str:
    return secrets.token_hex(20)
