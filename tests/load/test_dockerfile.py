"""What a Dockerfile says about running its image."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geartrain.load.dockerfile import read

from .conftest import Project


def test_a_plain_python_app() -> None:
    image = read(
        """\
# syntax=docker/dockerfile:1
FROM python:3.12-slim
ENV PYTHONUNBUFFERED=1 NAME="a b" \\
    OTHER='$x'
ENV LEGACY one two
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt \\
    && pip install "uvicorn[standard]>=0.30" gunicorn==23.0 -i https://example.com/simple
COPY --chown=app:app src static/ ./
ADD https://example.com/x /x
EXPOSE 8000/tcp 9000/udp
CMD ["uvicorn", "app:app", "--port", "8000"]
"""
    )
    assert image.base == "python:3.12-slim"
    assert image.environment == {
        "PYTHONUNBUFFERED": "1",
        "NAME": "a b",
        "OTHER": "$x",
        "LEGACY": "one two",
    }
    assert image.working_dir == "/app"
    assert image.copies == (
        ("requirements.txt", "/app/"),
        ("src", "/app/"),
        ("static", "/app/"),
    )
    assert image.installs == ("uvicorn[standard]>=0.30", "gunicorn==23.0")
    assert image.ports == (8000,)
    assert image.command == ("uvicorn", "app:app", "--port", "8000")
    assert len(image.runs) == 1


def test_shell_form() -> None:
    image = read("FROM a\nENTRYPOINT ./entry.sh\nCMD exec gunicorn -b :$PORT app\n")
    assert image.entrypoint == ("/bin/sh", "-c", "./entry.sh")
    assert image.command == ("/bin/sh", "-c", "exec gunicorn -b :$PORT app")


def test_another_shell() -> None:
    assert read('FROM a\nSHELL ["/bin/bash", "-ec"]\nCMD x y\n').command == (
        "/bin/bash",
        "-ec",
        "x y",
    )


STAGES = """\
ARG VERSION=3.11
ARG FLAVOUR
FROM python:${VERSION}-${FLAVOUR:-slim} AS base
WORKDIR /app
ENV A=1
CMD ["base"]
FROM base AS builder
RUN uv pip install --system fastapi
COPY . /app/
FROM node:22 AS assets
WORKDIR /ui
COPY ui/ .
FROM base AS final
ARG VERSION
ENV B=$VERSION-$A
COPY --from=builder /app /srv
COPY --from=assets /ui/ ./static
COPY --from=ghcr.io/astral-sh/uv /uv /bin/
ENTRYPOINT ["run"]
"""


def test_stages_and_arguments() -> None:
    image = read(STAGES, args={"VERSION": "3.12"})
    assert image.base == "python:3.12-slim"
    assert image.environment == {"A": "1", "B": "3.12-1"}
    assert image.working_dir == "/app"
    assert image.entrypoint == ("run",)
    assert image.command == ()  # a new entry point drops the inherited command
    assert image.copies == ((".", "/srv/"), ("ui", "/app/static/"))
    assert image.installs == ("fastapi",)


def test_a_target() -> None:
    image = read(STAGES, target="Builder")
    assert image.base == "python:3.11-slim"
    assert image.command == ("base",)
    assert image.copies == ((".", "/app/"),)


def test_a_target_that_is_not_there() -> None:
    with pytest.raises(LookupError, match="it has no stage 'prod'"):
        read(STAGES, target="prod")


def test_no_from() -> None:
    with pytest.raises(LookupError, match="it has no FROM"):
        read("RUN x\n")


def test_a_heredoc_is_not_read_as_instructions() -> None:
    image = read("FROM a\nRUN <<EOF\npip install flask\nFROM b\nEOF\nCOPY <<X /f\nCMD no\nX\n")
    assert image.base == "a"
    assert image.command == ()
    assert image.installs == ("flask",)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("pip install flask", ("flask",)),
        ("python3 -m pip install --upgrade pip setuptools", ("pip", "setuptools")),
        ("pip3 install -r a.txt -c b.txt . ./pkg wheel.whl", ()),
        ("apt-get install -y curl; /venv/bin/pip install 'a<2'", ("a<2",)),
        ("--mount=type=cache,target=/root/.cache uv pip install --system a b", ("a", "b")),
        ("pip install git+https://example.com/a.git", ("git+https://example.com/a.git",)),
        ("npm install express", ()),
        ("pip download install x", ()),
    ],
)
def test_installs(line: str, found: tuple[str, ...]) -> None:
    assert read(f"FROM a\nRUN {line}\n").installs == found


@given(st.text(max_size=60), st.text(alphabet="$}{:-+\\'\" aA=[]<,\n", max_size=40))
def test_no_text_brings_it_down(first: str, second: str) -> None:
    for line in ("ENV {}", "COPY {}", "CMD {}", "EXPOSE {}", "RUN {}", "FROM {}", "ARG {}"):
        try:
            read(f"FROM a\n{line.format(first)}\n{line.format(second)}\n")
        except LookupError:
            continue


def test_a_python_folder_needs_no_dockerfile(project: Project) -> None:
    project.compose("services:\n  web: {build: ./app}\n")
    project.write("app/requirements.txt", "flask\n")
    web = project.load().app.services["web"]
    assert (web.role, web.port, web.built.base) == ("web", 8080, "")


def test_a_missing_dockerfile(project: Project) -> None:
    project.compose("services:\n  web: {build: ./app}\n")
    project.write("app/main.go", "package main\n")
    assert project.refused() == (
        "docker-compose.yml:2 services.web.build: no Dockerfile: looked for app/Dockerfile, and"
        " for a Python project (pyproject.toml, requirements.txt, uv.lock, Pipfile, setup.py)\n"
        "  → write one, or name it with `build.dockerfile`"
    )


def test_a_named_dockerfile_that_is_missing(project: Project) -> None:
    project.compose("services:\n  web: {build: {context: ., dockerfile: prod.Dockerfile}}\n")
    project.write("requirements.txt", "flask\n")
    assert "no Dockerfile: looked for prod.Dockerfile\n" in project.refused()


def test_a_context_that_is_no_folder(project: Project) -> None:
    project.compose("services:\n  web: {build: ./backend}\n  job: {build: ./job}\n")
    text = project.refused()
    assert ":2 services.web.build: the build context 'backend' is not a folder" in text
    assert ":3 services.job.build: the build context 'job' is not a folder" in text


def test_a_dockerfile_without_the_target(project: Project) -> None:
    project.compose("services:\n  web: {build: {context: ., target: prod}}\n")
    project.write("Dockerfile", "FROM a AS dev\n")
    assert "services.web.build: Dockerfile: it has no stage 'prod'" in project.refused()


def test_an_inline_dockerfile(project: Project) -> None:
    project.compose(
        "services:\n  web:\n    build:\n      dockerfile_inline: |\n"
        "        FROM a\n        EXPOSE 1234\n"
    )
    assert project.load().app.services["web"].port == 1234
