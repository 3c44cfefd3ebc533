"""PostgreSQL's own files."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from geartrain.app.credentials import DatabaseLogins, Login
from geartrain.app.model import Role, Service
from geartrain.render import postgres


def database(*command: str) -> Service:
    return Service(name="db", role=Role.DATABASE, image="postgres:16", command=command or None)


def settings(service: Service) -> dict[str, str]:
    text = postgres.files(service, "127.1.2.3", "../socket")["postgresql.conf"].text
    return dict(re.findall(r"^(\w+) = '(.*)'$", text, re.MULTILINE))


def test_it_listens_on_its_own_address_with_passwords_only() -> None:
    files = postgres.files(database(), "127.1.2.3", "../socket")
    assert settings(database())["listen_addresses"] == "127.1.2.3"
    assert settings(database())["unix_socket_directories"] == "../socket"
    assert settings(database())["password_encryption"] == "scram-sha-256"
    rules = [line for line in files["pg_hba.conf"].text.splitlines() if not line.startswith("#")]
    assert [line.split()[-1] for line in rules] == ["scram-sha-256"] * 2


def test_settings_of_the_command_are_kept() -> None:
    service = database("postgres", "-c", "max_connections=200", "--shared-buffers=1GB")
    assert settings(service)["max_connections"] == "200"
    assert settings(service)["shared_buffers"] == "1GB"


def test_where_it_listens_cannot_be_moved() -> None:
    service = database("postgres", "-c", "listen_addresses=*", "-c", "port=1", "--what", "-c",
                       "unix_socket_directories=/tmp")  # fmt: skip
    assert settings(service)["listen_addresses"] == "127.1.2.3"
    assert settings(service)["unix_socket_directories"] == "../socket"
    assert settings(service)["port"] == "5432"
    assert postgres.declared_settings(service)[1] == (
        "listen_addresses=*",
        "port=1",
        "--what",
        "unix_socket_directories=/tmp",
    )


@given(st.text(alphabet=st.characters(exclude_characters="\0\n\r", exclude_categories=["Cs"])))
def test_no_setting_leaves_its_quotes(value: str) -> None:
    quoted = postgres.quote(value)
    inside = quoted[1:-1].replace("\\\\", "").replace("''", "")
    assert "'" not in inside
    assert "\\" not in inside


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_no_password_leaves_its_literal(value: str) -> None:
    written = postgres.literal(value)
    inside = written.removeprefix("E")[1:-1].replace("\\\\", "").replace("''", "")
    assert "'" not in inside
    assert "\\" not in inside


def test_the_app_creates_tables_only_without_a_release_command() -> None:
    logins = DatabaseLogins(
        database="shop",
        superuser=Login("s", "1"),
        owner=Login("o", "2"),
        app=Login("a", "3"),
        reader=Login("r", "4"),
    )
    assert 'GRANT CREATE ON SCHEMA public TO "a"' in postgres.roles_sql(logins, app_creates=True)
    without = postgres.roles_sql(logins, app_creates=False)
    assert 'REVOKE CREATE ON SCHEMA public FROM "a"' in without
    assert without.count("NOSUPERUSER") == 3
