"""Compose files in the shapes that public projects have: their roles and ports."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from geartrain.app.model import Order

from .conftest import Project

PYTHON = "FROM python:3.12-slim\nWORKDIR /app\nCOPY . .\n"


@dataclass(frozen=True)
class Shape:
    """A project, and what each service is: `role`, `role port`, `role once`."""

    compose: str
    expected: dict[str, str]
    files: dict[str, str] = field(default_factory=dict)
    profiles: tuple[str, ...] = ()
    environ: dict[str, str] = field(default_factory=dict)


SHAPES = {
    "eleven lines": Shape(
        """\
services:
  nginx:
    image: nginx:latest
    ports: ["80:80"]
  backend:
    build: ./backend
    depends_on: [postgres, redis]
  postgres:
    image: postgres:16
  redis:
    image: redis:7
""",
        {"nginx": "edge 80", "backend": "web 8080", "postgres": "database 5432",
         "redis": "cache 6379"},
        {"backend/Dockerfile": PYTHON},
    ),
    "django, celery, redis, postgres": Shape(
        """\
x-app: &app
  build: .
  env_file: .env.app
  depends_on:
    db: {condition: service_healthy}
    redis: {condition: service_started}
services:
  web:
    <<: *app
    command: gunicorn shop.wsgi -b 0.0.0.0:8000
    ports: ["8000:8000"]
    volumes: ["static:/app/static"]
  migrate:
    <<: *app
    command: python manage.py migrate
    restart: "no"
  worker:
    <<: *app
    command: celery -A shop worker
  beat:
    <<: *app
    command: celery -A shop beat
  db:
    image: postgres:16-alpine
    environment: {POSTGRES_PASSWORD: "${DB_PASSWORD:-dev}"}
    volumes: ["data:/var/lib/postgresql/data"]
    healthcheck: {test: ["CMD-SHELL", "pg_isready -U postgres"], interval: 5s}
  redis:
    image: redis:7-alpine
volumes: {data: {}, static: {}}
""",
        {"web": "web 8000", "migrate": "worker once", "worker": "worker", "beat": "worker",
         "db": "database 5432", "redis": "cache 6379"},
        {"Dockerfile": PYTHON + "EXPOSE 8000\n", ".env.app": "DEBUG=0\n"},
    ),
    "flask and redis, the getting-started shape": Shape(
        """\
services:
  web:
    build: .
    ports: ["8000:5000"]
    volumes: [".:/code"]
    environment: {FLASK_DEBUG: "true"}
  redis:
    image: "redis:alpine"
""",
        {"web": "web 5000", "redis": "cache 6379"},
        {"Dockerfile": 'FROM python:3.12\nEXPOSE 5000\nCMD ["flask", "run"]\n'},
    ),
    "fastapi template: prestart, frontend, adminer": Shape(
        """\
services:
  db:
    image: postgres:17
    environment: [POSTGRES_USER=app, POSTGRES_PASSWORD=x]
  adminer:
    image: adminer
    ports: ["8081:8080"]
  prestart:
    image: "${IMAGE:-shop}:${TAG:-latest}"
    build: {context: ./backend}
    command: bash scripts/prestart.sh
    depends_on: {db: {condition: service_started, restart: true}}
  backend:
    image: "${IMAGE:-shop}:${TAG:-latest}"
    build: {context: ./backend}
    depends_on:
      prestart: {condition: service_completed_successfully}
    healthcheck: {test: ["CMD", "curl", "-f", "http://localhost:8000/health"]}
    x-gear: {routes: [/api/]}
  frontend:
    build: {context: ./frontend, args: [API=http://api]}
    x-gear: {routes: [/]}
""",
        {"db": "database 5432", "adminer": "web 8080", "prestart": "worker once",
         "backend": "web 8000", "frontend": "web 80"},
        {
            "backend/Dockerfile": PYTHON + 'CMD ["fastapi", "run", "--workers", "4", "app.py"]\n',
            "frontend/Dockerfile": (
                "FROM node:22 AS build\nRUN npm ci\nFROM nginx:1.27\nEXPOSE 80\n"
            ),
        },
    ),
    "node with mongo": Shape(
        """\
services:
  api:
    build: ./api
    environment: {PORT: 4000, MONGO_URL: "mongodb://mongo/db"}
    links: [mongo]
  mongo:
    image: mongo:7
    volumes: ["./mongo-data:/data/db"]
""",
        {"api": "web 4000", "mongo": "other"},
        {"api/Dockerfile": 'FROM node:22\nCMD ["node", "server.js"]\n'},
    ),
    "rails with sidekiq": Shape(
        """\
services:
  app:
    build: .
    command: bash -c "rm -f tmp/pids/server.pid && bundle exec rails s -p 3001 -b '0.0.0.0'"
    depends_on: [db]
  sidekiq:
    build: .
    command: bundle exec sidekiq
  db:
    image: postgis/postgis:16-3.4
  valkey:
    image: valkey/valkey:8
""",
        {"app": "web 3001", "sidekiq": "worker", "db": "database 5432", "valkey": "cache 6379"},
        {"Dockerfile": "FROM ruby:3.3\nEXPOSE 3000\n"},
    ),
    "nginx in front, with its own configuration": Shape(
        """\
services:
  proxy:
    image: nginx:1.27-alpine
    ports: ["80:80", "443:443"]
    volumes: ["./nginx/conf.d:/etc/nginx/conf.d:ro", "./html:/usr/share/nginx/html"]
  app:
    build: .
    expose: ["8000"]
""",
        {"proxy": "web 80", "app": "web 8000"},
        {"Dockerfile": PYTHON, "nginx/conf.d/default.conf": "server {}\n"},
    ),
    "nginx built for the app, as the edge": Shape(
        """\
services:
  nginx:
    build: ./nginx
    ports: ["8080:80"]
    x-gear: {role: edge}
  app:
    build: .
""",
        {"nginx": "edge 80", "app": "web 8080"},
        {"Dockerfile": PYTHON, "nginx/Dockerfile": "FROM nginx\nCOPY nginx.conf /etc/nginx/\n"},
    ),
    "secrets and an unprivileged nginx": Shape(
        """\
services:
  edge:
    image: nginxinc/nginx-unprivileged:stable
    ports: ["8080:8080"]
  app:
    build: .
    secrets: [db_password]
    environment: {DB_PASSWORD_FILE: /run/secrets/db_password}
  db:
    image: pgvector/pgvector:pg16
    secrets: [db_password]
    environment: {POSTGRES_PASSWORD_FILE: /run/secrets/db_password}
secrets:
  db_password: {file: ./secrets/db.txt}
""",
        {"edge": "edge 8080", "app": "web 8080", "db": "database 5432"},
        {"Dockerfile": PYTHON},
    ),
    "profiles": Shape(
        """\
services:
  app: {build: ., ports: ["80:8080"]}
  mail: {image: axllent/mailpit, profiles: [dev], expose: [1025]}
  tests: {build: ., command: pytest, profiles: [ci]}
""",
        {"app": "web 8080", "mail": "other 1025"},
        {"Dockerfile": PYTHON},
        profiles=("dev",),
    ),
    "extends and include": Shape(
        """\
include: [infra/compose.yml]
services:
  web:
    extends: {file: common.yml, service: base}
    ports: ["80:9000"]
  nightly:
    extends: web
    ports: !reset []
    command: python nightly.py
    x-gear: {schedule: "0 3 * * *"}
""",
        {"web": "web 9000", "nightly": "job", "db": "database 5432"},
        {
            "Dockerfile": PYTHON,
            "common.yml": "services:\n  base:\n    build: .\n    environment: {A: '1'}\n",
            "infra/compose.yml": "services:\n  db:\n    image: supabase/postgres:15\n"
            "    env_file: ../db.env\n",
            "db.env": "POSTGRES_PASSWORD=x\n",
        },
    ),
    "an image alone, routed by x-gear": Shape(
        """\
services:
  app:
    image: ghcr.io/team/app:${TAG}
    x-gear: {port: 3000, routes: [/]}
  queue:
    image: bitnami/redis:7.2
    x-gear: {keep: durable}
  dump:
    image: postgres:16
    command: pg_dump
    restart: "no"
""",
        {"app": "web 3000", "queue": "cache 6379", "dump": "other once"},
        environ={"TAG": "v1"},
    ),
    "other people's programs, a console and a mail catcher": Shape(
        """\
services:
  wiki:
    image: example/wiki:2
    ports: ["127.0.0.1:3000:3000"]
    volumes: ["wiki:/data"]
  sql: {image: mysql:8, ports: ["3307:3307"]}
  queue: {image: "rabbitmq:3-management", ports: ["5672:5672", "15672:15672"]}
  catcher: {image: example/mail, ports: ["1025:1025", "8025:8025"]}
  documents: {image: mongo, ports: ["27017:27017"]}
  roach: {image: example/roach, ports: ["26257:26257", "8081:8080"]}
volumes: {wiki: {}}
""",
        {"wiki": "web 3000", "sql": "other 3307", "queue": "web 15672", "catcher": "web 8025",
         "documents": "other 27017", "roach": "web 8080"},
    ),
    "nginx with a configuration that its command makes": Shape(
        """\
services:
  proxy:
    image: nginx
    ports: ["80:80"]
    volumes: ["./site.template:/tmp/site.template"]
    command: /bin/sh -c "envsubst < /tmp/site.template > /etc/nginx/conf.d/default.conf && nginx"
  app: {build: ., expose: [9091]}
""",
        {"proxy": "web 80", "app": "web 9091"},
        {"Dockerfile": PYTHON, "site.template": "server {}\n"},
    ),
    "a port that only nginx and a caller know": Shape(
        """\
services:
  proxy:
    build: ./proxy
    ports: ["80:80"]
  shop: {build: ./shop}
  front: {build: ./shop, ports: ["3000:3000"], environment: {SHOP: "http://stock:6000"}}
  stock: {build: ./shop, x-gear: {routes: [/stock/]}}
""",
        {"proxy": "web 80", "shop": "worker", "front": "web 3000", "stock": "web 6000"},
        {"proxy/Dockerfile": "FROM nginx:1.27\nCOPY site.conf /etc/nginx/conf.d/\n",
         "proxy/site.conf": "server { location / { proxy_pass http://shop:5050; } }\n",
         "shop/Dockerfile": "FROM golang:1\nCMD /shop\n"},
    ),
    "a Go program behind nginx": Shape(
        """\
services:
  proxy: {image: nginx, ports: ["80:80"], volumes: ["./site.conf:/etc/nginx/conf.d/site.conf"]}
  shop: {build: .}
""",
        {"proxy": "web 80", "shop": "web 5050"},
        {"site.conf": "server { location / { proxy_pass http://shop:5050; } }\n",
         "Dockerfile": "FROM golang:1\nCMD /shop\n"},
    ),
    "several databases": Shape(
        """\
services:
  api:
    build: .
    command: uvicorn api:app --host 0.0.0.0 --port 8001
    x-gear: {routes: [/]}
  admin:
    build: .
    command: streamlit run admin.py
    x-gear: {routes: [/admin/]}
  users: {image: timescale/timescaledb:latest-pg16}
  orders: {image: "docker.io/bitnami/postgresql:16"}
""",
        {"api": "web 8001", "admin": "web 8501", "users": "database 5432",
         "orders": "database 5432"},
        {"requirements.txt": "uvicorn\n"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_roles_and_ports(project: Project, name: str) -> None:
    shape = SHAPES[name]
    for path, text in shape.files.items():
        project.write(path, text)
    project.compose(shape.compose)
    app = project.load(profiles=shape.profiles, environ=shape.environ).app
    found = {
        s.name: " ".join(
            [s.role.value, *([str(s.port)] if s.port else []), *(["once"] if s.one_shot else [])]
        )
        for s in app.services.values()
    }
    assert found == shape.expected


def test_services_stay_in_the_files_order(project: Project) -> None:
    project.compose("services:\n  z: {image: a}\n  b: {image: a}\n  m: {image: a}\n")
    assert list(project.load().app.services) == ["z", "b", "m"]


def test_what_keeps_data_and_is_not_built_here_is_replaced_one_after_the_other(
    project: Project,
) -> None:
    project.write("Dockerfile", PYTHON)
    project.compose(
        """\
        services:
          app: {build: ., ports: ["80:80"], volumes: ["uploads:/u"]}
          twin: {image: made-here, volumes: ["uploads:/u"]}
          maker: {build: ., image: made-here, command: celery worker}
          wiki: {image: example/wiki, ports: ["81:80"], volumes: ["wiki:/data"]}
          files: {image: example/files, volumes: ["./files:/data"]}
          plain: {image: example/plain, volumes: ["./plain.conf:/etc/plain.conf:ro"]}
          front: {image: nginx, volumes: ["./conf.d:/etc/nginx/conf.d"]}
          said:
            image: example/said
            volumes: ["wiki:/data"]
            deploy: {update_config: {order: start-first}}
        volumes: {uploads: {}, wiki: {}}
        """
    )
    services = project.load().app.services.values()
    assert {s.name for s in services if s.update.order is Order.STOP_FIRST} == {"wiki", "files"}


def test_pwd_is_the_project_folder_wherever_gear_is_called(project: Project) -> None:
    project.compose("services:\n  web: {image: x, volumes: ['${PWD:-.}/conf:/conf:ro']}\n")
    for environ in ({}, {"PWD": "/elsewhere"}):
        web = project.load(environ=environ).app.services["web"]
        assert [mount.source for mount in web.mounts] == ["conf"]
        assert web.asks == ()
