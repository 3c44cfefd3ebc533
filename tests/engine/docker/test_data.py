"""PostgreSQL and Redis in Docker: who may do what, and what outlives a release."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from geartrain.app.release import InstanceId
from geartrain.engine.docker import postgres, unsettled
from geartrain.errors import GearError, InvalidError
from geartrain.render import containers
from tests.dockerd import docker
from tests.engine.docker.conftest import Place
from tests.engine.docker.releasing import Shop
from tests.engine.docker.test_failures import get

pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("docker_daemon"),
    pytest.mark.timeout(600),
]

ELEVEN = Path(__file__).parents[2] / "machine" / "eleven"
INIT = "services:\n  postgres:\n    volumes: ['./init:/docker-entrypoint-initdb.d:ro']\n"


@pytest.fixture(scope="module")
def shop(docker_daemon: None, places: Callable[[], Place]) -> tuple[Place, Shop]:
    """The eleven lines, unchanged, beside an override that brings an init script."""
    place = places()
    source = place.folder / "eleven"
    shutil.copytree(ELEVEN, source)
    (source / "init").mkdir()
    (source / "init" / "1.sql").write_text("CREATE TABLE planets (name text);\n")
    (source / "init" / "2.sh").write_text(
        'psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c'
        " \"INSERT INTO planets VALUES ('venus')\"\n"
    )
    (source / "docker-compose.override.yml").write_text(INIT)
    made = Shop(place.host, source, "eleven")
    made.release()
    return place, made


@pytest.fixture
def sql(shop: tuple[Place, Shop]) -> Callable[[str, str], str]:
    """Say something to PostgreSQL as one of its roles."""
    _, made = shop
    release = made.known(made.live)
    assert release
    known = made.engine().logins(release).databases["postgres"]
    name = containers.container(made.home.base, InstanceId(service="postgres"))

    def say(role: str, statement: str) -> str:
        login = getattr(known, role)
        url = f"postgresql://{login.user}:{login.password}@postgres/{known.database}"
        return docker("exec", name, "psql", "-XAtc", statement, url)

    return say


def test_the_eleven_lines_are_as_they_were_and_answer(shop: tuple[Place, Shop]) -> None:
    place, made = shop
    text = (made.source / "docker-compose.yml").read_bytes()
    assert text == (ELEVEN / "docker-compose.yml").read_bytes()
    assert len(text.splitlines()) == 11
    before, after = (json.loads(get(place)) for _ in range(2))
    assert after["postgres"] == before["postgres"] + 1
    assert after["redis"] == before["redis"] + 1


def test_a_release_leaves_the_data_services_alone(shop: tuple[Place, Shop]) -> None:
    place, made = shop

    def data() -> list[tuple[str, int, float]]:
        seen = made.engine().observe().instances
        return [(i.name, i.pid, i.since) for i in seen if i.role in ("database", "cache")]

    before, rows = data(), json.loads(get(place))["postgres"]
    (made.source / "backend" / "changed.txt").write_text("changed")
    made.release()
    assert data() == before
    assert json.loads(get(place))["postgres"] == rows + 1


def test_roles_are_told_apart(sql: Callable[[str, str], str]) -> None:
    ask = "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
    assert [sql(role, ask) for role in ("owner", "app", "reader")] == ["f", "f", "f"]
    assert sql("superuser", "SHOW password_encryption") == "scram-sha-256"
    plain = "SELECT count(*) FROM pg_authid WHERE rolcanlogin AND rolpassword NOT LIKE 'SCRAM%'"
    assert sql("superuser", plain) == "0"
    assert sql("superuser", "SHOW data_checksums") == "on"
    with pytest.raises(AssertionError, match="permission denied"):
        sql("reader", "DELETE FROM planets")


def test_init_scripts_ran_once_as_the_owner(sql: Callable[[str, str], str]) -> None:
    assert sql("reader", "SELECT string_agg(name, ',') FROM planets") == "venus"
    owner = "SELECT tableowner = current_user FROM pg_tables WHERE tablename = 'planets'"
    assert sql("owner", owner) == "t"


def test_a_password_is_wanted_and_is_nowhere_to_be_read(shop: tuple[Place, Shop]) -> None:
    _, made = shop
    release = made.known(made.live)
    assert release
    known = made.engine().logins(release)
    base = made.home.base
    stranger = "postgresql://postgres:x@postgres/postgres"
    with pytest.raises(AssertionError, match="password authentication failed"):
        docker("exec", f"{base}-postgres-1", "psql", "-XAtc", "SELECT 1", stranger)
    assert "NOAUTH" in docker("exec", f"{base}-redis-1", "redis-cli", "get", "visits")
    database, cache = known.databases["postgres"], known.caches["redis"]
    secrets = [
        one.password for one in (database.superuser, database.owner, database.app, cache.app)
    ]
    for name in (f"{base}-postgres-1", f"{base}-redis-1"):
        shown = docker("inspect", name) + docker("top", name, "-eo", "pid,args")
        assert not [secret for secret in secrets if secret in shown]
    assert made.home.credentials.stat().st_mode & 0o777 == 0o600
    file = made.home.private(f"releases/{release.number}") / "compose.json"
    assert file.stat().st_mode & 0o777 == 0o600


def test_data_services_reach_nothing_beyond_the_app(shop: tuple[Place, Shop]) -> None:
    _, made = shop
    name = f"{made.home.base}-postgres-1"
    networks = json.loads(docker("inspect", "--format", "{{json .NetworkSettings.Networks}}", name))
    assert list(networks) == [containers.data_network(made.home.base)]
    assert docker("network", "inspect", "--format", "{{.Internal}}", *networks) == "true"
    with pytest.raises(AssertionError, match="Read-only file system"):
        docker("exec", name, "touch", "/etc/mine")


def test_another_major_version_is_refused_and_the_old_one_goes_on(
    shop: tuple[Place, Shop], sql: Callable[[str, str], str]
) -> None:
    _, made = shop
    image = docker("inspect", "--format", "{{.Config.Image}}", f"{made.home.base}-postgres-1")
    folder = made.source / "other"
    folder.mkdir()
    (folder / "Dockerfile").write_text(f"FROM {image}\nENV PG_MAJOR=99\n")
    label = f"--label={containers.HOST}={made.home.host.facts.id}"
    docker("build", "--quiet", label, "--tag=gear-test/postgres:99", str(folder))
    override = made.source / "docker-compose.override.yml"
    override.write_text(f"{INIT}    image: gear-test/postgres:99\n")
    with pytest.raises(GearError, match=r"its data is of PostgreSQL 16, but .*:99") as error:
        made.release()
    assert "say `image: postgres:16` again" in error.value.remedy
    override.write_text(INIT)
    assert sql("reader", "SELECT count(*) FROM planets") == "1"


def test_a_mount_that_would_lose_the_data_is_refused(shop: tuple[Place, Shop]) -> None:
    _, made = shop
    override = made.source / "docker-compose.override.yml"
    lost = INIT.replace("volumes: [", "volumes: ['pgdata:/var/lib/postgresql', ")
    override.write_text(f"{lost}volumes: {{ pgdata: }}\n")
    with pytest.raises(InvalidError, match="would not keep the data"):
        made.release()
    override.write_text(INIT)


def test_a_new_definition_keeps_the_data(
    shop: tuple[Place, Shop], sql: Callable[[str, str], str]
) -> None:
    place, made = shop
    rows = json.loads(get(place))["postgres"]
    override = made.source / "docker-compose.override.yml"
    override.write_text(f"{INIT}    command: postgres -c max_connections=33\n")
    made.release()
    assert any("connections to it break now" in line for line in made.said.lines)
    assert sql("superuser", "SHOW max_connections") == "33"
    assert json.loads(get(place))["postgres"] == rows + 1


def test_data_outlives_a_stop_of_everything(shop: tuple[Place, Shop]) -> None:
    place, made = shop
    rows = json.loads(get(place))["postgres"]
    assert made.engine().down()
    with pytest.raises(OSError):
        get(place)
    made.release(made.known(made.live))
    assert json.loads(get(place))["postgres"] == rows + 1


def test_first_contents_that_were_cut_off_are_made_anew(
    docker_daemon: None, places: Callable[[], Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = places()
    source = place.folder / "cut"
    (source / "init").mkdir(parents=True)
    (source / "init" / "1.sql").write_text("CREATE TABLE planets AS SELECT 'venus' AS name;\n")
    (source / "docker-compose.yml").write_text(f"{INIT}    image: postgres:16\n")
    made = Shop(place.host, source, "cut")
    release = made.next()
    service = release.app.services["postgres"]

    class KilledError(BaseException):
        """The push was killed."""

    def cut_off(*words: Any) -> None:
        real(*words)
        raise KilledError

    real = postgres._run_scripts
    with monkeypatch.context() as patched:
        patched.setattr(postgres, "_run_scripts", cut_off)
        with pytest.raises(KilledError):
            made.engine().ensure_data(release, service, lambda _: None)
    engine = made.engine()
    engine.ensure_data(release, service, lambda _: None)
    engine.ensure_data(release, service, lambda _: None)
    assert unsettled.services(made.home) == frozenset()
    owner = engine.logins(release).databases["postgres"].owner
    name = containers.container(made.home.base, InstanceId(service="postgres"))
    database = engine.logins(release).databases["postgres"].database
    url = f"postgresql://{owner.user}:{owner.password}@postgres/{database}"
    assert docker("exec", name, "psql", "-XAtc", "SELECT name FROM planets", url) == "venus"
    engine.down()
    engine.erase()


def test_data_is_deleted_when_asked_to_and_nothing_else(shop: tuple[Place, Shop]) -> None:
    """The last test of this module: nothing is left for another."""
    _, made = shop
    foreign = f"{made.home.base}_foreign"
    docker("volume", "create", foreign)
    try:
        engine = made.engine()
        engine.down()
        engine.erase()
        mine = f"--filter=name={made.home.base}"
        assert docker("volume", "ls", "--quiet", mine).split() == [foreign]
        assert docker("network", "ls", "--quiet", mine) == ""
        assert docker("ps", "--all", "--quiet", mine) == ""
    finally:
        docker("volume", "rm", foreign)
