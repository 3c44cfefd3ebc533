"""Who may log in to the data services. Values are generated or declared elsewhere."""

from __future__ import annotations

from msgspec import Struct


class Login(Struct, frozen=True):
    """A user and its password."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.user!r}, …)"


class DatabaseLogins(Struct, frozen=True, kw_only=True):
    """The logins of one PostgreSQL service.

    The superuser is Geartrain's own. The owner owns the schema and runs
    migrations, the app reads and writes rows, the reader only reads.
    """

    database: str
    superuser: Login
    owner: Login
    app: Login
    reader: Login


class CacheLogins(Struct, frozen=True, kw_only=True):
    """The logins of one Redis service.

    `default` is the password that the Compose file itself sets for Redis's
    default user; "" leaves that user off. `open` lets it in without a password.
    """

    app: Login
    default: str = ""
    open: bool = False


class Logins(Struct, frozen=True, kw_only=True):
    """All logins of an app, by service."""

    databases: dict[str, DatabaseLogins] = {}
    caches: dict[str, CacheLogins] = {}
