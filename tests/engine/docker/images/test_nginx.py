"""The nginx stand-in, used as the official image's documentation says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dockerd import docker
from tests.engine.docker.images.conftest import Container, Run

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

NAME = "nginx:latest"


def ready(container: Container, port: int = 80) -> Container:
    container.succeeds("curl", "-s", f"http://127.0.0.1:{port}/")
    return container


def test_the_welcome_page(run: Run) -> None:
    container = ready(run(NAME))
    assert "nginx is running" in container.run("curl", "-s", "http://127.0.0.1/")
    assert container.first_process() == "root nginx"
    workers = container.run("sh", "-c", "for p in /proc/[0-9]*; do stat -c %U $p; done")
    assert "nginx" in workers.split()
    assert container.run("id", "nginx") == "uid=101(nginx) gid=101(nginx) groups=101(nginx)"
    assert '"GET / HTTP/1.1" 200' in container.logs()
    assert "404" in container.run("curl", "-sI", "http://127.0.0.1/none")


def test_own_files(run: Run, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("own page\n")
    container = ready(run(NAME, "-v", f"{tmp_path}:/usr/share/nginx/html:ro"))
    assert container.run("curl", "-s", "http://127.0.0.1/") == "own page"


def test_templates_and_steps(run: Run, tmp_path: Path) -> None:
    templates, steps = tmp_path / "templates", tmp_path / "steps"
    templates.mkdir()
    steps.mkdir()
    (templates / "default.conf.template").write_text(
        "server { listen ${PORT}; location / { return 200 '$host ${GREETING} $NGINX_SAID'; } }\n"
    )
    (steps / "40-say.envsh").write_text("export GREETING=hello\n")
    for step in steps.iterdir():
        step.chmod(0o755)
    container = run(
        NAME, "-e", "PORT=8081", "-e", "NGINX_SAID=so", "-e", "GREETING=hi",
        "-v", f"{templates}:/etc/nginx/templates:ro",
        "-v", f"{steps}/40-say.envsh:/docker-entrypoint.d/18-say.envsh:ro",
    )  # fmt: skip
    ready(container, 8081)
    assert container.run("curl", "-s", "http://127.0.0.1:8081/") == "127.0.0.1 hello so"


def test_own_configuration_with_a_name_of_another_container(run: Run, tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(
        "events {}\nhttp { server { listen 8080; location / { return 200 'mine'; } } }\n"
    )
    container = ready(run(NAME, "-v", f"{tmp_path}/nginx.conf:/etc/nginx/nginx.conf:ro"), 8080)
    assert container.run("curl", "-s", "http://127.0.0.1:8080/") == "mine"
    assert "test is successful" in container.run("nginx", "-t")
    container.run("nginx", "-s", "reload")
    assert '"GET / HTTP/1.1" 200' in container.logs()


def test_a_wrong_configuration_ends_it_with_the_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "default.conf").write_text("server {\n    lisen 80;\n}\n")
    container = run(NAME, "-v", f"{tmp_path}:/etc/nginx/conf.d:ro")
    assert container.ends() == 1
    assert 'unknown directive "lisen" in /etc/nginx/conf.d/default.conf:2' in container.logs()


def test_it_stops_when_requests_are_answered(run: Run) -> None:
    container = ready(run(NAME))
    docker("stop", container.id)
    assert "gracefully shutting down" in container.logs(), "SIGQUIT is the image's stop signal"
    assert docker("inspect", "--format", "{{.State.ExitCode}}", container.id) == "0"


def test_without_rights(run: Run, tmp_path: Path) -> None:
    (tmp_path / "default.conf").write_text("server { listen 8080; return 200 ok; }\n")
    container = run(
        NAME, "--user", "101:101", "--cap-drop", "ALL", "--read-only", "--tmpfs", "/run:uid=101",
        "--tmpfs", "/var/cache/nginx:uid=101", "-v", f"{tmp_path}:/etc/nginx/conf.d:ro",
    )  # fmt: skip
    assert ready(container, 8080).run("curl", "-s", "http://127.0.0.1:8080/") == "ok"


def test_restarts(run: Run) -> None:
    container = ready(run(NAME))
    docker("restart", container.id)
    ready(container)
