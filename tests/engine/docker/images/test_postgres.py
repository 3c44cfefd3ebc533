"""The postgres stand-in, used as the official image's documentation says."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.dockerd import docker
from tests.engine.docker.images.conftest import Container, Run

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

NAME = "postgres:16"


def ready(container: Container, user: str = "postgres", database: str = "postgres") -> Container:
    """By TCP: the socket answers during the set-up already."""
    container.succeeds("pg_isready", "-h", "127.0.0.1", "-U", user, "-d", database)
    return container


def ask(container: Container, query: str, *words: str) -> str:
    return container.run("psql", "-h", "127.0.0.1", "-Atqc", query, *words)


def test_a_password_is_all_it_takes(run: Run) -> None:
    container = ready(run(NAME, "-e", "POSTGRES_PASSWORD=a 'b\"$c\\"))
    with_password = ["env", "PGPASSWORD=a 'b\"$c\\", "psql", "-h", container_ip(container), "-U"]
    assert container.run(*with_password, "postgres", "-Atc", "show password_encryption") == (
        "scram-sha-256"
    )
    refused = container.run(
        "env", "PGPASSWORD=wrong", *with_password[2:], "postgres", "-c", "select 1", check=False
    )
    assert "password authentication failed" in refused
    assert container.run("psql", "-U", "postgres", "-Atc", "show server_version").startswith("16.")
    assert container.first_process() == "postgres postgres"
    assert container.run("id", "postgres").startswith("uid=999(postgres) gid=999(postgres) ")
    assert container.run("sh", "-c", "echo $PGDATA $PG_MAJOR $LANG; locale -a | grep en_US") == (
        "/var/lib/postgresql/data 16 en_US.utf8\nen_US.utf8"
    )


def container_ip(container: Container) -> str:
    return container.run("hostname", "-i")


def test_without_a_password_it_says_what_is_missing(run: Run) -> None:
    container = run(NAME)
    assert container.ends() == 1
    assert "POSTGRES_PASSWORD is not set" in container.logs()


def test_files_of_secrets_and_the_init_folder(run: Run, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("s3cret\n")
    secret.chmod(0o444)
    init = tmp_path / "init"
    init.mkdir()
    (init / "1-table.sql").write_text("create table seen (by text);")
    (init / "2-rows.sql.gz").write_bytes(gzip.compress(b"insert into seen values ('gz');"))
    (init / "3-program.sh").write_text(
        "#!/bin/bash\nset -e\n"
        'psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<-EOSQL\n'
        "\tinsert into seen values ('program');\nEOSQL\n"
    )
    (init / "3-program.sh").chmod(0o755)
    (init / "4-read.sh").write_text(
        "echo \"insert into seen values ('read');\" | docker_process_sql\n"
    )
    (init / "4-read.sh").chmod(0o644)
    (init / "notes.txt").write_text("nothing\n")
    container = run(
        NAME,
        "-e", "POSTGRES_PASSWORD_FILE=/run/secrets/password", "-e", "POSTGRES_USER=own er",
        "-e", 'POSTGRES_DB=sho"p', "-e", "POSTGRES_INITDB_ARGS=--data-checksums --locale='C.UTF-8'",
        "-v", f"{secret}:/run/secrets/password:ro", "-v", f"{init}:/docker-entrypoint-initdb.d:ro",
    )  # fmt: skip
    ready(container, "own er", 'sho"p')
    login = ("-U", "own er", "-d", 'sho"p')
    assert ask(container, "select string_agg(by, ' ') from seen", *login) == "gz program read"
    assert ask(container, "show data_checksums", *login) == "on"
    assert "notes.txt is not" in container.logs()
    shown = container.run("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert "s3cret" not in shown + container.logs()


def test_a_set_up_that_failed_is_done_again(volume: str, run: Run, tmp_path: Path) -> None:
    script = tmp_path / "own.sql"
    script.write_text("create table half (n int); select nonsense;")
    mounts = ("-v", f"{volume}:/var/lib/postgresql/data",
              "-v", f"{tmp_path}:/docker-entrypoint-initdb.d:ro")  # fmt: skip
    container = run(NAME, "-e", "POSTGRES_PASSWORD=x", *mounts)
    assert container.ends() != 0
    assert 'column "nonsense" does not exist' in container.logs()

    script.write_text("create table whole (n int);")
    docker("start", container.id)
    tables = ready(container).run("psql", "-U", "postgres", "-Atc", "\\dt")
    assert "whole" in tables
    assert "half" not in tables


def test_an_init_folder_that_it_may_not_read_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "init").mkdir(mode=0o700)
    mount = ("-v", f"{tmp_path}/init:/docker-entrypoint-initdb.d:ro")
    container = run(NAME, "-e", "POSTGRES_PASSWORD=x", *mount)
    assert container.ends() == 1
    assert "/docker-entrypoint-initdb.d cannot be read" in container.logs()


def test_both_a_value_and_a_file_are_refused(run: Run) -> None:
    container = run(NAME, "-e", "POSTGRES_PASSWORD=x", "-e", "POSTGRES_PASSWORD_FILE=/etc/hostname")
    assert container.ends() == 1
    assert "POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE, not both" in container.logs()


def test_data_is_kept_when_it_is_replaced(volume: str, run: Run) -> None:
    mount = ("-v", f"{volume}:/var/lib/postgresql/data", "-e", "POSTGRES_PASSWORD=x")
    first = ready(run(NAME, *mount))
    first.run("psql", "-U", "postgres", "-c", "create table kept (n int)")
    docker("stop", first.id)
    assert "fast shutdown" in first.logs(), "SIGINT is the image's stop signal"
    second = ready(run(NAME, *mount, "-e", "POSTGRES_DB=ignored"))
    assert "kept" in second.run("psql", "-U", "postgres", "-c", "\\dt")
    assert "the data folder is there already" in second.logs()


@pytest.mark.parametrize("user", ["999:999", "12345:12345"])
def test_it_runs_as_any_user(run: Run, user: str) -> None:
    options = ("--user", user, "--cap-drop", "ALL", "-e", "POSTGRES_PASSWORD=x")
    container = ready(run(NAME, *options, "-e", "PGDATA=/tmp/data"))
    assert container.run("psql", "-U", "postgres", "-Atc", "select 1") == "1"


def test_extensions_that_apps_use_are_there(run: Run) -> None:
    container = ready(run(NAME, "-e", "POSTGRES_HOST_AUTH_METHOD=trust"))
    for name in ("pgcrypto", "uuid-ossp", "pg_trgm", "hstore", "citext", "pg_stat_statements"):
        ask(container, f'create extension "{name}"', "-U", "postgres")
    assert "anybody who reaches the port is let in" in container.logs()


def test_options_and_other_commands(run: Run) -> None:
    container = run(NAME, "-e", "POSTGRES_PASSWORD=x", command=("-c", "max_connections=7"))
    assert ask(ready(container), "show max_connections", "-U", "postgres") == "7"
    assert run(NAME, command=("psql", "--version")).ends() == 0
    assert run(NAME, command=("postgres", "--version")).ends() == 0
    shell = run(NAME, command=("bash", "-c", "echo $USER hello"))
    assert shell.ends() == 0
    assert "hello" in shell.logs()
