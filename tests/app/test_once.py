"""Which services end by themselves, though their file does not say so."""

from __future__ import annotations

from typing import Any

import pytest

from geartrain.app import compose
from geartrain.app.model import Role, Service
from geartrain.app.once import runs_once


@pytest.mark.parametrize(
    ("command", "once"),
    [
        ("python manage.py migrate", True),
        ("python manage.py migrate --noinput && python manage.py collectstatic --noinput", True),
        ("alembic upgrade head", True),
        ("alembic -c conf.ini upgrade head", True),
        ("npx prisma migrate deploy", True),
        ("npm run db:migrate", True),
        ("bundle exec rails db:prepare", True),
        ("php artisan migrate --force", True),
        ("sleep 5; mc alias set m http://minio:9000 a b; mc mb m/files; exit 0", True),
        ("python manage.py migrate && gunicorn shop.wsgi", False),
        ("alembic upgrade head && exec uvicorn app:app", False),
        ("bundle exec rails db:migrate && bundle exec rails server", False),
        ("python manage.py migrate && python bot.py", False),
        ("celery -A shop worker", False),
        ("python worker.py", False),
        ("npm start", False),
        ("", False),
    ],
)
def test_commands(command: str, once: bool) -> None:
    assert runs_once(Service(name="a", role=Role.OTHER, command=tuple(command.split()))) is once
    if command:
        line = Service(name="a", role=Role.OTHER, command=("/bin/sh", "-c", command))
        assert runs_once(line) is once
        split = Service(name="a", role=Role.OTHER, entrypoint=("bash", "-ec"), command=(command,))
        assert runs_once(split) is once


@pytest.mark.parametrize(
    ("name", "once"),
    [
        ("migrate", True),
        ("db-migrations", True),
        ("airflow-init", True),
        ("createbuckets", True),
        ("init_db", True),
        ("Seed", True),
        ("initiator", False),
        ("seedbox", False),
        ("immigration", False),
        ("web", False),
    ],
)
def test_names(name: str, once: bool) -> None:
    assert runs_once(Service(name=name, role=Role.OTHER, command=("./run.sh",))) is once


def test_a_name_alone_makes_no_database_end() -> None:
    assert not runs_once(Service(name="init", role=Role.OTHER, image="postgres:16"))


def decoded(**keys: Any) -> compose.Decoded:
    service = {"image": "a", "command": ["alembic", "upgrade", "head"], **keys}
    return compose.decode({"services": {"s": service}}, project="/p")


def test_it_is_told_and_what_the_file_says_goes_before() -> None:
    guess = decoded()
    assert guess.app.services["s"].one_shot
    assert guess.notices == (
        "s: taken for what runs once in each release and ends; `restart: always` says otherwise",
    )
    for keys in (
        {"restart": "always"},
        {"deploy": {"restart_policy": {"condition": "any"}}},
        {"ports": [{"target": 80}]},
        {"x-gear": {"role": "worker"}},
    ):
        assert not decoded(**keys).app.services["s"].one_shot
        assert decoded(**keys).notices == ()
    assert decoded(restart="no").notices == ()
