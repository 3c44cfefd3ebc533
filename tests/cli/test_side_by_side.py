"""Several projects, several checkouts, and folders of every kind."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Make
from tests.cli.running import Project, nothing_left, request, until

pytestmark = pytest.mark.slow

HELLO = """\
from http.server import BaseHTTPRequestHandler, HTTPServer
import os
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = open(os.environ.get("SHOWN", "text.txt"), "rb").read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
HTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""
DOCKERFILE = "FROM python:3.12-slim\nWORKDIR /app\nCOPY . .\nEXPOSE 8080\nCMD python app.py\n"


def small(project: Project, more: str = "", services: str = "", top: str = "") -> Project:
    """A web service that answers with a file."""
    project.write("app.py", HELLO)
    project.write("Dockerfile", DOCKERFILE)
    project.write("text.txt", "some text\n")
    web = f"  web:\n    build: .\n    ports: ['{project.port}:8080']\n{more}"
    (project.folder / "docker-compose.yml").write_text(f"services:\n{web}{services}{top}")
    return project


# -- side by side ---------------------------------------------------------------


def url_port(told: dict[str, object]) -> int:
    urls = told["urls"]
    assert isinstance(urls, list)
    return int(urls[0].rpartition(":")[2]) if urls[0].count(":") == 2 else 80


def test_two_checkouts_of_one_app_and_another_app_all_on_port_80(make: Make) -> None:
    first, second = make("hello", "one/shop"), make("hello", "two/shop")
    other = make("worker", "other")
    projects = (first, second, other)
    told = []
    for project in projects:
        project.edit("docker-compose.yml", "${EDGE_PORT:-8080}", "80")
        done = project.up("--json", env={"EDGE_PORT": None})
        told.append((done.json(), done.err))
    ports = [url_port(one) for one, _ in told]
    assert len(set(ports)) == 3, ports
    for (_, err), port in list(zip(told, ports, strict=True))[1:]:
        assert f"this is on {port} instead" in err
    first.write("VERSION", "2\n")
    first.up()
    assert request("GET", "/", ports[0])[1] == "hello 2\n"
    assert request("GET", "/", ports[1])[1] == "hello 1\n"
    assert "once: ran" in request("GET", "/", ports[2])[1]
    first.down()
    nothing_left(first.folder)
    assert request("GET", "/", ports[1])[1] == "hello 1\n"
    second.down()
    second.up()
    assert request("GET", "/", ports[1])[1] == "hello 1\n", "its port stays its own"


def test_their_data_is_apart(make: Make) -> None:
    data = '  postgres: { image: "postgres:18" }\n  redis: { image: "redis:8" }\n'
    first, second = (small(make(name=name), services=data) for name in ("a/shop", "b/shop"))
    for project in (first, second):
        project.up()
    first.gear("db", "shell", "-c", "CREATE TABLE mine (id int)")
    first.gear("redis", "shell", "set", "mine", "1")
    assert (
        'relation "mine" does not exist'
        in second.gear("db", "shell", "-c", "SELECT * FROM mine", code=1).err
    )
    assert second.gear("redis", "shell", "get", "mine").out.strip() in ("", "(nil)")
    keys = [
        json.loads((p.folder / ".gear" / "credentials.json").read_text()) for p in (first, second)
    ]
    assert keys[0] != keys[1]


# -- folders --------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "/".join(["a-rather-long-name-of-a-folder"] * 6),
        "a b  c",
        'it\'s "quoted"',
        "zoë-日本",
        "~HOME `id` ;x {y} %s #z",
        "-rf",
    ],
    ids=["deep", "spaces", "quotes", "unicode", "shell", "dash"],
)
def test_folders_of_every_kind(make: Make, name: str) -> None:
    project = small(make(name=name), services='  redis: { image: "redis:8" }\n')
    project.up()
    assert project.body() == "some text\n"
    assert project.gear("redis", "shell", "ping").out
    project.write("text.txt", "another\n")
    project.up()
    assert project.body() == "another\n"
    assert project.gear("exec", "web", "cat", "text.txt").out == "another\n"


def test_a_folder_that_nginx_cannot_name(make: Make) -> None:
    project = small(make(name="a$b"))
    done = project.up(code=None)
    assert done.code in (1, 3)
    assert "holds '$', which nginx reads as a variable" in done.err
    assert "→ rename it" in done.err
    nothing_left(project.folder)


def test_from_another_folder(make: Make) -> None:
    project = small(make(name="shop"))
    parent = project.folder.parent
    project.gear("up", "-d", "shop", cwd=parent)
    assert project.body() == "some text\n"
    assert project.gear("ps", "-C", "shop", cwd=parent).out
    project.gear("down", "shop", cwd=parent)
    nothing_left(project.folder)


def test_inside_a_git_repository(make: Make) -> None:
    """It is left as it was, and what it ignores is not released."""
    project = small(make(name="shop"))
    project.write(".gitignore", "*.tmp\n")

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x@example.com", *words],
            cwd=project.folder, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    project.write("text.txt", "changed, not committed\n")
    project.write("new.txt", "new, not added\n")
    project.write("x.tmp", "ignored\n")
    before = git("status", "--porcelain"), git("log", "--all", "--oneline")
    project.up()
    assert project.body() == "changed, not committed\n"
    assert (git("status", "--porcelain"), git("log", "--all", "--oneline")) == before
    source = project.folder / ".gear" / "releases" / "1" / "src"
    assert (source / "new.txt").exists()
    assert not (source / "x.tmp").exists()
    project.write("x.tmp", "ignored still\n")
    assert project.gear("plan").out == ""


def test_with_f_and_profile(make: Make) -> None:
    project = small(make(name="shop"))
    extra = "  extra:\n    build: .\n    command: sleep 60\n    profiles: [more]\n"
    compose = project.folder / "docker-compose.yml"
    (project.folder / "other.yml").write_text(compose.read_text() + extra)
    compose.write_text("services: {}\n")
    project.up("-f", "other.yml")
    assert project.body() == "some text\n"
    assert {i["service"] for i in project.instances()} == {"edge", "web"}
    project.up("-f", "other.yml", "--profile", "more")
    assert {i["service"] for i in project.instances()} == {"edge", "web", "extra"}


def test_only_the_release_sees_a_new_file(make: Make) -> None:
    """An old instance never sees what was saved after it started."""
    project = make("hello")
    project.up()
    project.write("VERSION", "2\n")
    assert project.body("/file") == "1\n"
    project.up()
    assert project.body("/file") == "2\n"


# -- what a service is given -----------------------------------------------------


def test_replicas_share_the_load(make: Make) -> None:
    project = make("hello", REPLICAS="3")
    project.up()
    pids = {i["pid"] for i in project.instances() if i["service"] == "web"}
    assert len(pids) == 3
    until(lambda: {int(project.body("/pid")) for _ in range(12)} == pids, "each has its share")


def test_secrets_and_configs_reach_the_service(make: Make) -> None:
    project = small(
        make(name="shop"),
        more="    environment: { SHOWN: /run/secrets/token, OTHER: /etc/shop.conf }\n"
        "    secrets: [token]\n    configs: [{source: conf, target: /etc/shop.conf}]\n",
        top="secrets:\n  token: { file: ./token.txt }\nconfigs:\n  conf: { content: 'a = 1' }\n",
    )
    project.write("token.txt", "s3cret\n")
    project.up()
    assert project.body() == "s3cret\n"
    assert project.gear("exec", "web", "sh", "-c", 'cat "$OTHER"').out == "a = 1"
    logged = b"".join(f.read_bytes() for f in (project.folder / ".gear" / "logs").glob("*"))
    assert b"s3cret" not in logged


def test_a_password_of_a_file(make: Make) -> None:
    project = small(
        make(name="shop"),
        services="  db:\n    image: postgres:18\n    secrets: [password]\n"
        "    environment: { POSTGRES_PASSWORD_FILE: /run/secrets/password, POSTGRES_DB: shop }\n",
        top="secrets:\n  password: { file: ./password.txt }\n",
    )
    project.write("password.txt", "a 'strange\" pass$word\\\n")
    project.up()
    ask = "SELECT current_user, current_database()"
    assert project.gear("db", "shell", "-Atc", ask).out == "postgres|shop\n"


def test_a_healthcheck_by_curl_needs_no_curl(make: Make, tmp_path: Path) -> None:
    line = '["CMD-SHELL", "curl -f http://localhost:8080/ || exit 1"]'
    check = f"    healthcheck: {{ test: {line}, start_period: 5s }}\n"
    project = small(make(name="shop"), more=check)
    bare = tmp_path / "bin"
    bare.mkdir()
    for program in ("git", "sh"):
        (bare / program).symlink_to(f"/usr/bin/{program}")
    project.up(env={"PATH": str(bare)})
    assert project.body() == "some text\n"
    project.write("app.py", HELLO.replace("200", "503"))
    done = project.up(code=1, env={"PATH": str(bare)})
    assert "GET / on" in done.err
    assert "503" in done.err
