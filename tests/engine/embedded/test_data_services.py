"""PostgreSQL and Redis as an app's own processes, with names and passwords of every kind."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from geartrain import run as gateway
from geartrain.app.credentials import DatabaseLogins, Login
from geartrain.app.model import App, Mount, MountKind, Role, Service
from geartrain.app.release import Release
from geartrain.engine.embedded import binaries, postgres, unsettled
from geartrain.engine.embedded.engine import EmbeddedEngine
from geartrain.engine.embedded.host import Host
from geartrain.engine.embedded.supervisor import probes
from geartrain.engine.embedded.supervisor.client import connect
from geartrain.engine.embedded.supervisor.spawn import Children
from geartrain.engine.embedded.supervisor.spec import Spec
from geartrain.engine.protocol import State
from geartrain.errors import GearError
from geartrain.run import CommandError
from tests.cli.running import until

HOSTILE = 'it\'s "quoted" \\ $HOME %s; drop {x} é'


@pytest.fixture
def host() -> Iterator[Host]:
    with tempfile.TemporaryDirectory(prefix="gear-data-") as folder:
        Path(folder).chmod(0o755)  # root's data services run as another user
        made = Host(Path(folder))
        made.create()
        yield made
        if client := connect(made.run):
            client.ask("shutdown")
            client.ended()


def engine_and_release(host: Host, *services: Service) -> tuple[EmbeddedEngine, Release]:
    app = App(name="shop", services={one.name: one for one in services})
    release = Release(number=1, commit="", fingerprint="x", app=app)
    (host.releases / "1" / "src").mkdir(parents=True, exist_ok=True)
    return EmbeddedEngine(host, os.environ, lambda _release, _folder: None), release


def database(**environ: str) -> Service:
    return Service(
        name="db", role=Role.DATABASE, image="postgres:18", port=5432, environment=environ
    )


def sql(host: Host, login: Login, name: str, statement: str) -> str:
    psql = binaries.postgres_folder() / "psql"
    env = postgres.client_environment(host.address_of_data("db"), login, name)
    return gateway.run([psql, "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement], env=env).out


def logins(engine: EmbeddedEngine, release: Release) -> DatabaseLogins:
    return engine.logins(release).databases["db"]


def test_roles_can_do_what_they_are_for_and_no_more(host: Host) -> None:
    service = database(POSTGRES_USER=HOSTILE, POSTGRES_PASSWORD=HOSTILE, POSTGRES_DB=HOSTILE)
    engine, release = engine_and_release(host, service)
    engine.ensure_data(release, service, lambda _: None)
    known = logins(engine, release)
    assert (known.owner.user, known.database) == (HOSTILE, HOSTILE)
    sql(host, known.owner, known.database, "CREATE TABLE rows (id int)")
    sql(host, known.app, known.database, "INSERT INTO rows VALUES (1)")
    assert sql(host, known.reader, known.database, "SELECT count(*) FROM rows") == "1\n"
    with pytest.raises(CommandError, match="ended"):
        sql(host, known.reader, known.database, "INSERT INTO rows VALUES (2)")
    for login in (known.owner, known.app, known.reader):
        assert sql(host, login, known.database, "SHOW is_superuser") == "off\n"
    with pytest.raises(CommandError) as refused:
        sql(host, Login(known.app.user, "wrong"), known.database, "SELECT 1")
    assert "password authentication failed" in str(refused.value)


def test_the_owner_changes_what_the_app_made(host: Host) -> None:
    service = database()
    engine, release = engine_and_release(host, service)
    engine.ensure_data(release, service, lambda _: None)
    known = logins(engine, release)
    sql(host, known.app, known.database, "CREATE TABLE early (id int)")
    sql(host, known.owner, known.database, "ALTER TABLE early ADD COLUMN name text")
    assert sql(host, known.reader, known.database, "SELECT count(*) FROM early") == "0\n"


def test_data_of_another_major_version_is_refused(host: Host) -> None:
    service = database()
    engine, release = engine_and_release(host, service)
    engine.ensure_data(release, service, lambda _: None)
    engine.connect().ask("stop", names=["db"])
    version = host.data / "db" / "data" / "PG_VERSION"
    version.write_text("15\n")
    with pytest.raises(GearError) as refused:
        engine.ensure_data(release, service, lambda _: None)
    assert "its data is of PostgreSQL 15, but 18 would run it" in str(refused.value)
    assert "nothing was changed" in str(refused.value)


def asked(spec: Spec, patience: float = 60.0) -> str:
    """What keeps PostgreSQL from being ready, as the supervisor asks it, or ""."""

    async def once() -> str:
        probe = dataclasses.replace(spec.probe, timeout=patience)
        return await probes.attempt(
            probe, Children(asyncio.get_running_loop()), spec.cwd, spec.user
        )

    return asyncio.run(once())


def test_a_postgres_that_accepts_and_does_not_answer_is_not_ready(host: Host) -> None:
    service = database()
    engine, release = engine_and_release(host, service)
    engine.ensure_data(release, service, lambda _: None)
    spec = postgres.spec(host, service, logins(engine, release))
    assert asked(spec) == ""
    postmaster = engine.observe().instances[0].pid
    os.kill(postmaster, signal.SIGSTOP)
    try:
        assert "no answer to the healthcheck" in asked(spec, 1.0)
    finally:
        os.kill(postmaster, signal.SIGCONT)
    assert asked(spec) == ""


def test_readiness_is_asked_on_a_socket_of_its_own_and_of_the_address(host: Host) -> None:
    service = database()
    engine, release = engine_and_release(host, service)
    engine.ensure_data(release, service, lambda _: None)
    known = logins(engine, release)
    spec = postgres.spec(host, service, known)
    socket = Path(spec.cwd) / postgres.SOCKET / ".s.PGSQL.5432"
    assert socket.is_socket()
    assert (socket.parent.stat().st_mode & 0o777) == 0o700, "nobody else comes there"
    psql = [binaries.postgres_folder() / "psql", *postgres.PSQL, "-c", "SELECT 1"]
    env = postgres.client_environment(postgres.SOCKET_FOR_PROBE, Login(known.app.user, "wrong"))
    with pytest.raises(CommandError) as refused:  # and who does needs a password
        gateway.run(psql, env=env, cwd=Path(spec.cwd), user=spec.user)
    assert "password authentication failed" in str(refused.value)
    elsewhere = next(host.free_addresses(set()))
    probe = dataclasses.replace(spec.probe, address=elsewhere)
    seen = asked(dataclasses.replace(spec, probe=probe))
    assert seen == f"nothing answers on {elsewhere}:5432", "no app could connect"
    hidden = socket.rename(socket.with_name("hidden"))
    assert "the healthcheck" in asked(spec), "it is not the address alone that counts"
    hidden.rename(socket)
    assert asked(spec) == ""


def test_a_folder_may_be_deeper_than_the_name_of_a_socket(host: Host) -> None:
    deep = host.project / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    below = Host(deep)
    below.create()
    service = database()
    engine, release = engine_and_release(below, service)
    try:
        engine.ensure_data(release, service, lambda _: None)
        assert [one.state for one in engine.observe().instances] == [State.READY]
        known = logins(engine, release)
        assert sql(below, known.app, known.database, "SELECT 1") == "1\n"
    finally:
        engine.down()


def test_a_postgres_in_recovery_is_not_ready(host: Host) -> None:
    service = database()
    engine, release = engine_and_release(host, service)
    engine.ensure_data(release, service, lambda _: None)
    known = logins(engine, release)
    spec = postgres.spec(host, service, known)
    engine.connect().ask("stop", names=["db"])
    signal_file = host.data / "db" / "data" / "standby.signal"
    signal_file.touch()
    engine.connect().start([spec])
    # Where nobody listens yet, the command that was run is told, with its words.
    until(lambda: "ERROR:  it is still in recovery" in asked(spec), "it answers, and says so")
    assert sql(host, known.owner, known.database, "SELECT 1") == "1\n"
    assert [one.state for one in engine.observe().instances] == [State.STARTING]


def test_settings_of_the_compose_file_are_in_force(host: Host) -> None:
    service = Service(
        name="db",
        role=Role.DATABASE,
        image="postgres:18",
        port=5432,
        command=("postgres", "-c", "work_mem=7MB", "-c", "application_name=it's"),
    )
    engine, release = engine_and_release(host, service)
    engine.ensure_data(release, service, lambda _: None)
    known = logins(engine, release)
    assert sql(host, known.app, known.database, "SHOW work_mem") == "7MB\n"
    assert sql(host, known.app, known.database, "SHOW data_checksums") == "on\n"


def test_redis_lets_nobody_in_without_its_password(host: Host) -> None:
    import valkey

    service = Service(
        name="cache",
        role=Role.CACHE,
        image="redis:7",
        port=6379,
        command=("redis-server", "--requirepass", "p%s$;'x"),
    )
    engine, release = engine_and_release(host, service)
    engine.ensure_data(release, service, lambda _: None)
    address = host.address_of_data("cache")
    login = engine.logins(release).caches["cache"].app
    with pytest.raises(valkey.AuthenticationError):
        valkey.Valkey(host=address).ping()
    app = valkey.Valkey(host=address, username=login.user, password=login.password)
    assert app.set("key", "value")
    assert valkey.Valkey(host=address, password="p%s$;'x").get("key") == b"value"
    for forbidden in ("CONFIG GET *", "SHUTDOWN", "MODULE LIST", "ACL LIST"):
        with pytest.raises(valkey.exceptions.NoPermissionError):
            app.execute_command(*forbidden.split())


def test_the_socket_of_nothing_is_open_to_strangers(host: Host) -> None:
    assert (host.run.stat().st_mode & 0o777) == 0o700
    engine, release = engine_and_release(host, database())
    engine.logins(release)
    secrets = Path(host.folder / "credentials.json")
    assert (secrets.stat().st_mode & 0o777) == 0o600


class Killed(BaseException):
    """Stands for `kill -9`: nothing cleans up after it."""


@pytest.mark.parametrize("commands", [0, 1, 2, 3])
def test_a_first_start_that_was_killed_is_done_over(
    host: Host, monkeypatch: pytest.MonkeyPatch, commands: int
) -> None:
    """Killed after so many of psql's commands, with the database running already."""
    script = "CREATE TABLE rows (id int); INSERT INTO rows VALUES (7);"
    mount = Mount(kind=MountKind.BIND, source="init", target=f"{postgres.INIT_TARGET}")
    service = msgspec.structs.replace(database(), mounts=(mount,))
    engine, release = engine_and_release(host, service)
    (host.releases / "1" / "src" / "init").mkdir()
    (host.releases / "1" / "src" / "init" / "1.sql").write_text(script)
    ran: list[object] = []

    def until_killed(argv: list[object], **options: Any) -> object:
        if str(argv[0]).endswith("psql"):
            if len(ran) == commands:
                raise Killed
            ran.append(argv)
        return run(argv, **options)  # type: ignore[arg-type]  # as it was called

    run = gateway.run
    with monkeypatch.context() as killing:
        killing.setattr(gateway, "run", until_killed)
        killing.setattr(unsettled, "end", lambda *_: until_killed(["psql"]))
        with pytest.raises(Killed):
            engine.ensure_data(release, service, lambda _: None)
    engine, release = engine_and_release(host, service)
    assert [one.state for one in engine.observe().instances] == [State.STARTING]
    engine.ensure_data(release, service, lambda _: None)
    assert [one.state for one in engine.observe().instances] == [State.READY]
    known = logins(engine, release)
    sql(host, known.owner, known.database, "INSERT INTO rows VALUES (8)")
    assert sql(host, known.reader, known.database, "SELECT * FROM rows") == "7\n8\n"
    engine.ensure_data(release, service, lambda _: None)
    assert sql(host, known.reader, known.database, "SELECT * FROM rows") == "7\n8\n"


def test_data_that_was_put_there_after_a_failure_is_not_taken_for_unfinished(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = database()
    engine, release = engine_and_release(host, service)
    engine.ensure_data(release, service, lambda _: None)
    known = logins(engine, release)
    sql(host, known.owner, known.database, "CREATE TABLE rows AS SELECT 7 AS id")
    engine.down()
    place = postgres.folder(host, service)
    backup = (place / "data").rename(host.folder / "backup")

    def full(*_: object, **__: object) -> object:
        raise GearError("no space left on device")

    engine, release = engine_and_release(host, service)
    with monkeypatch.context() as patched:
        patched.setattr(gateway, "run", full)
        with pytest.raises(GearError, match="no space"):
            engine.ensure_data(release, service, lambda _: None)
    backup.rename(place / "data")
    engine, release = engine_and_release(host, service)
    engine.ensure_data(release, service, lambda _: None)
    assert sql(host, known.reader, known.database, "SELECT * FROM rows") == "7\n"
