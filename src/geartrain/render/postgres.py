"""PostgreSQL's own files: `postgresql.conf`, `pg_hba.conf`, and the roles of an app.

Sources: PostgreSQL manual, chapters "Server Configuration", "Client
Authentication" and "Database Roles".
"""

from __future__ import annotations

from collections.abc import Mapping

from geartrain.app.credentials import DatabaseLogins
from geartrain.app.model import Service
from geartrain.render.files import File

BASE: Mapping[str, str] = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "password_encryption": "scram-sha-256",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_line_prefix": "%q%u@%d ",
    "log_min_duration_statement": "1s",
    "log_lock_waits": "on",
    "log_checkpoints": "off",
    "idle_in_transaction_session_timeout": "10min",
    "timezone": "UTC",
    "wal_compression": "on",
}
# What Geartrain depends on; a Compose file cannot move it.
FIXED = frozenset({"listen_addresses", "port", "unix_socket_directories", "data_directory",
                   "hba_file", "ident_file", "config_file", "external_pid_file"})  # fmt: skip


def declared_settings(service: Service) -> tuple[dict[str, str], tuple[str, ...]]:
    """Settings in the service's command (`-c name=value`, `--name=value`), and what is ignored."""
    words = list(service.command or ())
    settings: dict[str, str] = {}
    ignored: list[str] = []
    while words:
        word = words.pop(0)
        if word == "postgres":
            continue
        if word == "-c" and words:
            pair = words.pop(0)
        elif word.startswith("-c") or (word.startswith("--") and "=" in word):
            pair = word[2:]
        else:
            ignored.append(word)
            continue
        name, _, value = pair.partition("=")
        key = name.strip().replace("-", "_")
        if key in FIXED or not key.replace("_", "").replace(".", "").isalnum():
            ignored.append(pair)
        else:
            settings[key] = value.strip()
    return settings, tuple(ignored)


def files(service: Service, address: str, socket: str) -> dict[str, File]:
    """The configuration of one PostgreSQL service.

    Args:
        service: the database service.
        address: the only address that it listens on.
        socket: the folder of its socket, as seen from its data.
    """
    own = {"listen_addresses": address, "unix_socket_directories": socket}
    settings = {**BASE, **own, **declared_settings(service)[0]}
    lines = [
        "# Written by Geartrain; changes are made in the Compose file (command: -c name=value)."
    ]
    lines += [f"{name} = {quote(value)}" for name, value in settings.items()]
    hba = [
        "# Written by Geartrain. Passwords only, over this service's own address and socket.",
        "# TYPE  DATABASE  USER  ADDRESS       METHOD",
        "local   all       all                 scram-sha-256",
        "host    all       all   127.0.0.0/8   scram-sha-256",
    ]
    return {
        "postgresql.conf": File(0o644, "\n".join(lines) + "\n"),
        "pg_hba.conf": File(0o644, "\n".join(hba) + "\n"),
    }


def quote(value: str) -> str:
    """A value for `postgresql.conf`: single quotes doubled, backslashes too."""
    if "\n" in value or "\0" in value:
        raise ValueError("a setting cannot hold a line end")
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def literal(text: str) -> str:
    """An SQL string, safe whatever it holds."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'" if "\\" in text else f"'{escaped}'"


def identifier(name: str) -> str:
    """An SQL identifier, safe whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def _unless(catalogue: str, column: str, name: str, statement: str) -> str:
    """A statement that psql runs unless a catalogue lists the name."""
    known = f"(SELECT FROM {catalogue} WHERE {column} = {literal(name)})"  # quoted above
    return f"SELECT {literal(statement)} WHERE NOT EXISTS {known} \\gexec"


def anew_sql(logins: DatabaseLogins) -> str:
    """SQL that leaves an empty database where an unfinished one may be; from `template1`."""
    db = identifier(logins.database)
    return (
        "\\set ON_ERROR_STOP on\nSET client_min_messages = warning;\n"
        f"DROP DATABASE IF EXISTS {db} WITH (FORCE);\nCREATE DATABASE {db};\n"
    )


def roles_sql(logins: DatabaseLogins, *, app_creates: bool) -> str:
    """SQL that brings an app's roles and database to their definition, again and again.

    Args:
        logins: names and passwords.
        app_creates: let the app's role create tables (no release command does it).
            The owner is a member of the app's role, so that migrations added
            later can change what the app created.
    """
    db, owner = identifier(logins.database), identifier(logins.owner.user)
    app, reader = identifier(logins.app.user), identifier(logins.reader.user)
    create = "GRANT" if app_creates else "REVOKE"
    direction = "TO" if app_creates else "FROM"
    lines = ["\\set ON_ERROR_STOP on", "SET client_min_messages = warning;"]
    for login in (logins.owner, logins.app, logins.reader):
        who = identifier(login.user)
        lines += [
            _unless("pg_roles", "rolname", login.user, f"CREATE ROLE {who}"),
            f"ALTER ROLE {who} LOGIN NOSUPERUSER NOCREATEROLE NOREPLICATION;",
            f"ALTER ROLE {who} PASSWORD {literal(login.password)};",
        ]
    lines += [
        f"ALTER ROLE {owner} CREATEDB;",
        f"GRANT {app} TO {owner};",
        _unless("pg_database", "datname", logins.database, f"CREATE DATABASE {db} OWNER {owner}"),
        f"ALTER DATABASE {db} OWNER TO {owner};",
        f"REVOKE ALL ON DATABASE {db} FROM PUBLIC;",
        f"GRANT CONNECT, TEMPORARY ON DATABASE {db} TO {app}, {reader};",
        f"\\connect {db}",
        "SET client_min_messages = warning;",
        f"ALTER SCHEMA public OWNER TO {owner};",
        f"GRANT USAGE ON SCHEMA public TO {app}, {reader};",
        f"{create} CREATE ON SCHEMA public {direction} {app};",
    ]
    for creator in (owner, app):
        defaults = f"ALTER DEFAULT PRIVILEGES FOR ROLE {creator} IN SCHEMA public GRANT"
        lines += [
            f"{defaults} SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app};",
            f"{defaults} USAGE, SELECT, UPDATE ON SEQUENCES TO {app};",
            f"{defaults} EXECUTE ON FUNCTIONS TO {app};",
            f"{defaults} SELECT ON TABLES TO {reader};",
        ]
    return "\n".join(lines) + "\n"
