"""The eleven lines, unchanged, with one command: what the app, its data and its user get."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.cli.conftest import Make
from tests.cli.running import APPS, ESCAPE, Done, Project, request, until

PING = "import os, redis; print(redis.Redis.from_url(os.environ['REDIS_URL']).ping())"
STRANGER = "import os, psycopg; psycopg.connect(os.environ['DATABASE_URL'], password='wrong')"


@pytest.fixture(scope="module")
def started(share: Make) -> tuple[Project, Done]:
    project = share("eleven")
    done = project.up("--port", str(project.port))
    return project, done


@pytest.fixture
def eleven(started: tuple[Project, Done]) -> Project:
    return started[0]


def environment(project: Project) -> dict[str, str]:
    lines = project.gear("exec", "backend", "env").out.splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def sql(project: Project, statement: str, role: str, code: int = 0) -> Done:
    return project.gear("db", "shell", "--as", role, "-Atc", statement, code=code)


def test_the_file_is_as_it_was(eleven: Project) -> None:
    before = (APPS / "eleven" / "docker-compose.yml").read_bytes()
    assert (eleven.folder / "docker-compose.yml").read_bytes() == before
    assert len(before.splitlines()) == 11


def test_it_says_what_runs_where_and_what_is_next(started: tuple[Project, Done]) -> None:
    project, done = started
    lines = done.out.splitlines()
    assert lines[0].split() == [
        "SERVICE",
        "INSTANCE",
        "STATE",
        "ADDRESS",
        "VERSION",
        "SINCE",
        "NOTE",
    ]
    rows = {line.split()[0]: line for line in lines[1:5]}
    assert sorted(rows) == ["backend", "edge", "postgres", "redis"]
    assert all(" ready " in row for row in rows.values())
    assert "nginx 1." in rows["edge"]
    assert "PostgreSQL 1" in rows["postgres"]
    assert "Valkey " in rows["redis"]
    assert f"eleven is live at http://localhost:{project.port} after " in done.out
    assert lines[-1].startswith("next: gear ps")
    assert ESCAPE not in done.said


def test_progress_is_told_apart_from_the_result(started: tuple[Project, Done]) -> None:
    _, done = started
    assert "✓ start postgres" in done.err
    assert "✓ switch nginx to release 1" in done.err
    assert "✓" not in done.out
    assert "runs instead of postgres:16" in done.err or "PostgreSQL 16" in done.out


def test_it_answers_through_nginx_and_keeps_rows(eleven: Project) -> None:
    before = json.loads(eleven.body())["rows"]
    assert request("POST", "/rows", eleven.port, b"one")[0] == 201
    assert json.loads(eleven.body())["rows"] == before + 1


def test_the_variables_agree_with_each_other(eleven: Project) -> None:
    env = environment(eleven)
    database, cache = urlsplit(env["DATABASE_URL"]), urlsplit(env["REDIS_URL"])
    for prefix, names in {
        "PG": ("HOST", "PORT", "USER", "PASSWORD", "DATABASE"),
        "POSTGRES_": ("HOST", "PORT", "USER", "PASSWORD", "DB"),
    }.items():
        assert [env[prefix + name] for name in names] == [
            database.hostname, str(database.port), database.username, database.password,
            database.path[1:],
        ]  # fmt: skip
    assert [env["REDIS_HOST"], env["REDIS_PORT"], env["REDIS_PASSWORD"]] == [
        cache.hostname, str(cache.port), cache.password,
    ]  # fmt: skip
    assert len(env["PGPASSWORD"]) >= 32
    assert env["PGPASSWORD"] != env["REDIS_PASSWORD"]


def test_credentials_are_for_this_user_alone(eleven: Project) -> None:
    kept = eleven.folder / ".gear" / "credentials.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    password = environment(eleven)["PGPASSWORD"]
    logged = b"".join(f.read_bytes() for f in (eleven.folder / ".gear" / "logs").glob("*"))
    assert password.encode() not in logged


def test_the_apps_role_is_not_a_superuser(eleven: Project) -> None:
    ask = "SELECT current_user, rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user"
    assert sql(eleven, ask, "app").out == "eleven_app|f|f\n"
    assert sql(eleven, ask, "owner").out == "eleven_owner|f|f\n"
    assert sql(eleven, ask, "read").out == "eleven_read|f|f\n"
    assert "permission denied" in sql(eleven, "COPY (SELECT 1) TO PROGRAM 'id'", "app", 1).err


def test_the_reader_reads_and_no_more(eleven: Project) -> None:
    assert sql(eleven, "SELECT count(*) >= 0 FROM entries", "read").out == "t\n"
    for statement in ("INSERT INTO entries (text) VALUES ('x')", "DELETE FROM entries",
                      "CREATE TABLE mine (id int)", "TRUNCATE entries"):  # fmt: skip
        assert "permission denied" in sql(eleven, statement, "read", 1).err


def test_a_wrong_password_is_refused(eleven: Project) -> None:
    done = eleven.gear("exec", "backend", "python", "-c", STRANGER, code=None)
    assert done.code == 1
    assert "password authentication failed" in done.err


def test_passwords_are_kept_as_scram(eleven: Project) -> None:
    ask = "SELECT bool_and(rolpassword LIKE 'SCRAM-SHA-256%') FROM pg_authid WHERE rolcanlogin"
    assert sql(eleven, ask, "superuser").out == "t\n"


def test_redis_wants_its_password(eleven: Project) -> None:
    assert eleven.gear("exec", "backend", "python", "-c", PING).out == "True\n"
    where = (environment(eleven)["REDIS_HOST"], 6379)
    for words, answer in ((b"GET visits", b"-NOAUTH"), (b"AUTH app wrong", b"-WRONGPASS"),
                          (b"AUTH wrong", b"-WRONGPASS")):  # fmt: skip
        with socket.create_connection(where, timeout=5) as link:
            link.sendall(words + b"\r\n")
            assert link.recv(200).startswith(answer)


def test_the_redis_shell(eleven: Project) -> None:
    assert eleven.gear("redis", "shell", "set", "greeting", "good day").out == "OK\n"
    assert "good day" in eleven.gear("redis", "shell", "get", "greeting").out
    typed = eleven.gear("redis", "shell", stdin="get greeting\nget nothing\n'\nnonsense\n")
    assert "good day" in typed.out


def test_data_services_listen_on_their_own_address_only(eleven: Project) -> None:
    env = environment(eleven)
    for host, port in ((env["PGHOST"], 5432), (env["REDIS_HOST"], 6379)):
        assert host.startswith("127.")
        hexed = "".join(f"{int(n):02X}" for n in reversed(host.split(".")))
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        table = [row[1] for row in rows if row[3] == "0A"]  # listening
        assert f"{hexed}:{port:04X}" in table


def test_a_second_up_has_nothing_to_do(eleven: Project) -> None:
    pids = {i["name"]: i["pid"] for i in eleven.instances()}
    done = eleven.up()
    assert "nothing to do: release 1 is live" in done.out
    assert "✓" not in done.err
    assert {i["name"]: i["pid"] for i in eleven.instances()} == pids


def test_data_outlives_a_release_down_and_up(eleven: Project) -> None:
    request("POST", "/rows", eleven.port, b"kept")
    before = json.loads(eleven.body())
    eleven.edit("backend/app.py", "listening on 8080", "listening, the second")
    assert "✓ record release 2 as live" in eleven.up().err
    after = json.loads(eleven.body())
    assert after["rows"] == before["rows"]
    assert after["visits"] > before["visits"]
    eleven.down()
    assert eleven.get() == (0, "")
    eleven.up()
    again = json.loads(eleven.body())
    assert again["rows"] == before["rows"]


def test_down_with_volumes_asks_for_the_name(eleven: Project) -> None:
    request("POST", "/rows", eleven.port, b"kept")
    refused = eleven.down("--volumes", stdin="yes\n", code=None)
    assert refused.code == 130 or refused.code == 1
    assert "Type its name to go on" in refused.said
    assert json.loads(eleven.body())["rows"] > 0, "it still runs"
    eleven.down("--volumes", stdin="eleven\n")
    eleven.up()
    assert until(lambda: eleven.body(), "it answers again")
    assert json.loads(eleven.body())["rows"] == 0


def test_a_command_of_ones_own_reaches_the_data_services(eleven: Project) -> None:
    assert eleven.gear("run", "backend", "python", "-c", PING).out == "True\n"
    who = "import os, psycopg; c = psycopg.connect(os.environ['DATABASE_URL']); print(c.info.user)"
    assert eleven.gear("run", "backend", "python", "-c", who).out.endswith("_app\n")
    refused = eleven.gear("run", "postgres", "psql", code=1)
    assert "postgres keeps data" in refused.err
    assert "gear exec postgres" in refused.err
