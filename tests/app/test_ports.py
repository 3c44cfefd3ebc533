"""The port that a command names."""

from __future__ import annotations

import pytest

from geartrain.app import callers
from geartrain.app.model import App, Image, PublishedPort, Role, Service
from geartrain.app.policy import ServicePolicy
from geartrain.app.ports import command_port, port_of


@pytest.mark.parametrize(
    ("command", "port"),
    [
        ("uvicorn app:app --host 0.0.0.0 --port 9000", 9000),
        ("uvicorn app:app --host 0.0.0.0", 8000),
        ("gunicorn -b 0.0.0.0:5001 shop.wsgi", 5001),
        ("gunicorn --bind=:5002 shop.wsgi", 5002),
        ("gunicorn -b:5003 shop.wsgi", 5003),
        ("gunicorn --bind unix:/run/x.sock shop.wsgi", 8000),
        ("python manage.py runserver 0.0.0.0:8002", 8002),
        ("python manage.py runserver 8003", 8003),
        ("python manage.py runserver", 8000),
        ("python -m http.server 8004", 8004),
        ("flask run --host=0.0.0.0 -p 5005", 5005),
        ("flask run", 5000),
        ("fastapi run --workers 4 app/main.py", 8000),
        ("bundle exec rails server -b 0.0.0.0", 3000),
        ("bundle exec puma -C config/puma.rb", 9292),
        ("/venv/bin/granian --interface asgi app:app", 8000),
        ("streamlit run app.py --server.port=8600", 8600),
        ("celery -A shop worker -l info", None),
        ("python worker.py -p high", None),
        ("mkdir -p /data", None),
        ("", None),
    ],
)
def test_command_port(command: str, port: int | None) -> None:
    assert command_port(command.split()) == port
    if command:
        assert command_port(["/bin/sh", "-c", command]) == port


@pytest.mark.parametrize(
    ("line", "port"),
    [
        ("exec uvicorn app:app --port ${PORT:-8080}", 8080),
        ("./wait.sh db:5432 && gunicorn -b 0.0.0.0:9000 a", 9000),
        ("python manage.py migrate && python manage.py runserver 0.0.0.0:7000", 7000),
        ("echo 'unclosed", None),
    ],
)
def test_shell_lines(line: str, port: int | None) -> None:
    assert command_port(["bash", "-c", line]) == port


def test_the_port_that_others_call() -> None:
    def one(name: str, *aliases: str, **env: str) -> Service:
        return Service(name=name, role=Role.WEB, aliases=aliases, environment=env)

    api, users = (
        one("api", "backend"),
        one("users", API="http://backend:5000/v1, my-api:1, x.api:2"),
    )
    other = one("other", U="users:99999,users:7001", V="users:7002", W="http://other/, api:")
    app = App(name="a", services={s.name: s for s in (api, users, other)})
    assert callers.called_on(app) == {"api": 5000, "users": 7001}
    assert callers.called_on(app, ["upstream o { server other:3000; }"])["other"] == 3000
    assert port_of(api, 5000) == 5000
    assert port_of(web(expose=(5,)), 5000) == 5
    assert port_of(Service(name="w", role=Role.WORKER), 5000) is None


def web(**given: object) -> Service:
    return Service(name="web", role=Role.WEB, **given)  # type: ignore[arg-type]


def test_the_order_of_what_tells_the_port() -> None:
    image = Image(ports=(7,), environment={"PORT": "6"}, command=("uvicorn", "a:a", "--port", "4"))
    assert port_of(web()) == 8080
    assert port_of(web(built=Image(ports=(7,)))) == 7
    assert port_of(web(built=Image(ports=(7,)), expose=(5,))) == 5
    assert port_of(web(built=Image(ports=(7,), environment={"PORT": "6"}), expose=(5,))) == 6
    assert port_of(web(built=image, expose=(5,))) == 4
    assert port_of(web(built=image, environment={"PORT": "3"}, command=("run",))) == 3
    ports = (PublishedPort(target=9, protocol="udp"), PublishedPort(target=2))
    assert port_of(web(built=image, ports=ports)) == 2
    assert port_of(web(built=image, ports=ports, gear=ServicePolicy(port=1))) == 1


def test_who_has_a_standard_port_and_who_has_none() -> None:
    assert port_of(Service(name="a", role=Role.DATABASE)) == 5432
    assert port_of(Service(name="a", role=Role.CACHE)) == 6379
    assert port_of(Service(name="a", role=Role.EDGE)) == 80
    assert port_of(Service(name="a", role=Role.WORKER, expose=(1,))) is None
    assert port_of(Service(name="a", role=Role.OTHER)) is None
    assert port_of(Service(name="a", role=Role.OTHER, expose=(25,))) == 25
