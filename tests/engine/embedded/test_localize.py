"""Commands and environments fitted to an instance's own address."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from geartrain.engine.embedded.localize import localize

OWN = "127.1.0.9"
NAMES = {
    "postgres": "127.1.0.2",
    "redis": "127.1.0.3",
    "api": "127.1.0.4",
    "db": "127.1.0.5",
    "kafka1": "127.1.0.6",
    "kafka2": "127.1.0.7",
    "web": "127.1.0.8",
}
PATHS = {"/app": "/home/u/my app/x", "/srv": "/r/src"}


def command(argv: list[str], port: int | None = 8000) -> tuple[str, ...]:
    return localize(argv, {}, address=OWN, port=port, names=NAMES, paths=PATHS)[0]


def variable(name: str, value: str) -> str:
    return localize([], {name: value}, address=OWN, port=80, names=NAMES, paths=PATHS)[1][name]


@pytest.mark.parametrize(
    ("written", "fitted"),
    [
        ("uvicorn a:app --host 0.0.0.0", f"uvicorn a:app --host {OWN}"),
        ("uvicorn a:app --host=0.0.0.0 --port 80", f"uvicorn a:app --host={OWN} --port 80"),
        ("uvicorn a:app --host ::", f"uvicorn a:app --host {OWN}"),
        ("uvicorn --host=:: a:app", f"uvicorn --host={OWN} a:app"),
        ("uvicorn a:app", "uvicorn a:app"),
        ("gunicorn -b :8000 a:app", f"gunicorn -b {OWN}:8000 a:app"),
        ("gunicorn -b:8000 a:app", f"gunicorn -b{OWN}:8000 a:app"),
        ("gunicorn --bind 0.0.0.0:8000 a", f"gunicorn --bind {OWN}:8000 a"),
        ("gunicorn --bind=:8000 a", f"gunicorn --bind={OWN}:8000 a"),
        ("gunicorn -b [::]:8000 a", f"gunicorn -b {OWN}:8000 a"),
        ("gunicorn -b unix:/tmp/g.sock a", "gunicorn -b unix:/tmp/g.sock a"),
        ("manage.py runserver", f"manage.py runserver {OWN}:8000"),
        ("manage.py runserver 0:8001", f"manage.py runserver {OWN}:8001"),
        ("manage.py runserver 8001 --noreload", f"manage.py runserver {OWN}:8001 --noreload"),
        ("hypercorn a:app", f"hypercorn a:app --bind {OWN}:8000"),
        ("daphne a:app", f"daphne -b {OWN} -p 8000 a:app"),
        ("fastapi run main.py", "fastapi run main.py --port 8000"),
        ("proxy --trust 0.0.0.0/0 10.0.0.0.0", "proxy --trust 0.0.0.0/0 10.0.0.0.0"),
        ("celery -b redis://redis:6379/0 -Q redis", "celery -b redis://127.1.0.3:6379/0 -Q redis"),
        ("wait-for-it postgres:5432 -- x", "wait-for-it 127.1.0.2:5432 -- x"),
        ("psql -h db postgres", "psql -h 127.1.0.5 postgres"),
        ("x --redis-host redis --queue redis", "x --redis-host 127.1.0.3 --queue redis"),
        ("uvicorn api:app web:application", "uvicorn api:app web:application"),
        ("python /srv/main.py /srvx /srv", "python /r/src/main.py /srvx /r/src"),
        ("uvicorn a:app --root-path /srv", "uvicorn a:app --root-path /srv"),
    ],
)
def test_a_command(written: str, fitted: str) -> None:
    assert command(written.split()) == tuple(fitted.split())


def test_a_worker_gets_no_port() -> None:
    argv, env = localize(["hypercorn", "a"], {}, address=OWN, port=None, names={}, paths={})
    assert argv == ("hypercorn", "a")
    assert env["HOST"] == OWN
    assert "PORT" not in env


@pytest.mark.parametrize(
    ("written", "fitted"),
    [
        (
            "alembic upgrade head && uvicorn app:app --host 0.0.0.0",
            f"alembic upgrade head && uvicorn app:app --host {OWN}",
        ),
        (
            "until nc -z db 5432; do sleep 1; done; exec gunicorn -b :8000 db:redis",
            f"until nc -z 127.1.0.5 5432; do sleep 1; done; exec gunicorn -b {OWN}:8000 db:redis",
        ),
        (
            "cd /srv && psql -h postgres -U postgres postgres",
            "cd /r/src && psql -h 127.1.0.2 -U postgres postgres",
        ),
        ("python manage.py runserver 0:80", f"python manage.py runserver {OWN}:80"),
        ("uvicorn a:app --host ${HOST:-0.0.0.0}", f"uvicorn a:app --host ${{HOST:-{OWN}}}"),
        ("echo db redis 'postgres'", "echo db redis 'postgres'"),
        ("python /app/main.py", r"python /home/u/my\ app/x/main.py"),
        ("x '/app/a' \"/app/b\"", "x '/home/u/my app/x/a' \"/home/u/my app/x/b\""),
        ('x "$(cat /app/a)"', 'x "$(cat /app/a)"'),  # no certain place: left as it is
    ],
)
def test_a_line_for_a_shell(written: str, fitted: str) -> None:
    assert command(["/bin/sh", "-c", written]) == ("/bin/sh", "-c", fitted)


@pytest.mark.parametrize(
    ("name", "written", "fitted"),
    [
        ("HOST", "0.0.0.0", OWN),
        ("BIND", ":8000", f"{OWN}:8000"),
        ("UVICORN_HOST", "::", OWN),
        ("GUNICORN_CMD_ARGS", "--bind=0.0.0.0:80 -w 2", f"--bind={OWN}:80 -w 2"),
        ("ALLOWED_HOSTS", "0.0.0.0,web", "0.0.0.0,web"),
        ("A", "postgresql://postgres:postgres@postgres/postgres", "postgresql://postgres:postgres@127.1.0.2/postgres"),
        ("A", "jdbc:postgresql://postgres:5432/db", "jdbc:postgresql://127.1.0.2:5432/db"),
        ("A", "redis://:pw@redis/0", "redis://:pw@127.1.0.3/0"),
        ("A", "http://api:8000/web?u=web", "http://127.1.0.4:8000/web?u=web"),
        ("A", "http://api.example.com:80/", "http://api.example.com:80/"),
        ("A", "kafka1:9092,kafka2:9092", "127.1.0.6:9092,127.1.0.7:9092"),
        ("A", "mongodb://a:db@db:1,api:2/db", "mongodb://a:db@127.1.0.5:1,127.1.0.4:2/db"),
        ("A", "postgres://u:p@x@db/d", "postgres://u:p@x@127.1.0.5/d"),
        ("A", "host=postgres user=postgres dbname=db", "host=127.1.0.2 user=postgres dbname=db"),
        ("A", '{"host": "redis", "db": "redis"}', '{"host": "127.1.0.3", "db": "redis"}'),
        ("A", "//db/", "//127.1.0.5/"),
        ("A", "me@web.com", "me@web.com"),
        ("A", "redis", "redis"),
        ("QUEUE", "redis", "redis"),
        ("CACHE_TYPE", "redis", "redis"),
        ("DB_ENGINE", "postgres", "postgres"),
        ("POSTGRES_USER", "postgres", "postgres"),
        ("POSTGRES_PASSWORD", "redis:6379", "redis:6379"),
        ("BASE_IMAGE", "postgres:16", "postgres:16"),
        ("DB_HOST", "db", "127.1.0.5"),
        ("PGHOST", "postgres", "127.1.0.2"),
        ("REDIS_HOSTS", "redis, db", "127.1.0.3, 127.1.0.5"),
        ("REDIS_URL", "redis", "127.1.0.3"),
        ("DATABASE_URL", "sqlite:////srv/x.db", "sqlite:////r/src/x.db"),
        ("DATABASE_URL", "sqlite:///srv/x.db", "sqlite:///srv/x.db"),
        ("SEARCH", "/srv:/app/x", "/r/src:/home/u/my app/x/x"),
        ("ROOT_PATH", "/srv", "/srv"),
        ("PYTHONPATH", "/srv", "/srv"),
    ],
)  # fmt: skip
def test_a_variable(name: str, written: str, fitted: str) -> None:
    assert variable(name, written) == fitted


def test_what_is_set_stays() -> None:
    env = {"PORT": "9000", "UVICORN_HOST": "127.0.0.1"}
    got = localize([], env, address=OWN, port=8000, names={"db": "127.1.0.5"}, paths={})[1]
    assert got["PORT"] == "9000"
    assert got["UVICORN_HOST"] == "127.0.0.1"
    assert got["UVICORN_PORT"] == "8000"
    assert got["GEAR_ADDRESS"] == OWN
    assert got["GEAR_NAMES"] == "db=127.1.0.5"


@pytest.mark.parametrize("address", ["$(id)", "127.0.0.1; id", "", "::1", "1.2.3"])
def test_only_addresses_are_put_into_texts(address: str) -> None:
    with pytest.raises(ValueError, match=r"(?i)octet|digits|empty"):
        localize([], {}, address=address, port=1, names={}, paths={})
    with pytest.raises(ValueError, match=r"(?i)octet|digits|empty"):
        localize([], {}, address=OWN, port=1, names={"a": address}, paths={})


def test_names_that_read_like_patterns_or_addresses_do_no_harm() -> None:
    names = {".*": "127.1.1.1", "0.0.0.0": "127.1.1.2", "a.b": "127.1.1.3", "x|y": "127.1.1.4"}
    argv = ["x", "redis:80", "a.b:80", "aXb:80", "1.2.3.4:80"]
    got = localize(argv, {}, address=OWN, port=1, names=names, paths={})[0]
    assert got == ("x", "redis:80", "127.1.1.3:80", "aXb:80", "1.2.3.4:80")


def test_one_word_is_no_command_of_two() -> None:
    argv = ("echo", "fastapi run")
    assert localize(argv, {}, address=OWN, port=1, names={}, paths={})[0] == argv


def test_a_path_below_its_own_place_is_mapped_once() -> None:
    paths = {"/app": "/app/.gear/releases/1/src"}
    once, env = localize(["/app/run"], {"D": "/app"}, address=OWN, port=1, names={}, paths=paths)
    again = localize(once, env, address=OWN, port=1, names={}, paths=paths)
    assert once == ("/app/.gear/releases/1/src/run",)
    assert again == (once, env)


PIECES = st.lists(
    st.sampled_from(
        [
            "0.0.0.0",
            "::",
            "[::]",
            ":80",
            "--host",
            "--bind=",
            "-b",
            "runserver",
            "db",
            "redis",
            "@",
            "//",
            "://",
            ":5432",
            ",",
            " ",
            "=",
            "/srv",
            "/app/x",
            "'",
            '"',
            ";",
            "$(x)",
            "\n",
            "postgres",
            "host=",
            "a",
            "-",
            ".",
            "/",
        ]
    ),
    max_size=8,
).map("".join)


@given(st.lists(PIECES, max_size=4), PIECES)
def test_twice_is_once(words: list[str], line: str) -> None:
    for argv in (["run", *words], ["sh", "-c", line, *words]):
        env = {"A": line, "DB_HOST": line, "BIND": line}
        once = localize(argv, env, address=OWN, port=8000, names=NAMES, paths=PATHS)
        assert localize(*once, address=OWN, port=8000, names=NAMES, paths=PATHS) == once


# Words that are fitted to an instance, and servers whose name alone gets an address added.
FITTED = (*NAMES, "0.0.0.0", "::", "/app", "/srv", "hypercorn", "daphne")


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40))
def test_other_text_stays(text: str) -> None:
    assume(not any(part in text for part in FITTED) and not text.startswith(":"))
    assert command(["run", text, "sh"]) == ("run", text, "sh")
    assert variable("A", text) == text


@pytest.mark.parametrize(
    "folder", ["/a b", "/a'b", '/a"b', "/a$(touch x)b", "/a`x`b", "/a;b|c&d", r"/a\b"]
)
@pytest.mark.parametrize("line", ["printf %s /app/x", 'printf %s "/app/x"', "printf %s '/app/x'"])
def test_a_shell_reads_the_very_path(folder: str, line: str, tmp_path: Path) -> None:
    argv, _ = localize(
        ["sh", "-c", line], {}, address=OWN, port=1, names={}, paths={"/app": folder}
    )
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=True)
    left = "'" in folder and "'" in line
    assert done.stdout == ("/app/x" if left else f"{folder}/x")
    assert not list(tmp_path.iterdir())


@given(PIECES)
def test_a_shell_line_gets_nothing_that_a_shell_reads(line: str) -> None:
    special = "'\"$`\\;&|<>(){}[]*?~#! \t\n"
    before = Counter(char for char in line if char in special)
    paths = {"/app": "/r/app", "/srv": "/r/src"}
    argv = ["sh", "-c", line]
    argv = list(localize(argv, {}, address=OWN, port=1, names=NAMES, paths=paths)[0])
    after = Counter(char for char in argv[2] if char in special)
    assert after <= before
