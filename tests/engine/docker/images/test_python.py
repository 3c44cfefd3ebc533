"""The python stand-in, as Dockerfiles use the official image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from geartrain.engine.docker.client import client
from geartrain.run import run as run_program
from tests.dockerd import docker
from tests.engine.docker.images.conftest import Run

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

NAME = "python:3.12-slim"


def test_the_interpreter(run: Run) -> None:
    container = run(NAME, command=("sleep", "60"))
    for name in ("python", "python3", "python3.12"):
        assert container.run(name, "--version").startswith("Python 3.12.")
        assert container.run("sh", "-c", f"command -v {name}") == f"/usr/local/bin/{name}"
    assert container.run("python", "-c", "import sys; print(sys.prefix)") == "/usr/local"
    assert container.run("pip", "--version").startswith("pip ")
    assert container.run("printenv", "SSL_CERT_FILE", check=False) in (
        "", "/etc/ssl/certs/ca-certificates.crt"
    )  # fmt: skip


@pytest.fixture
def built(image: Callable[[str], str], tmp_path: Path) -> Callable[[str], str]:
    """Build a Dockerfile upon the stand-in; returns the image's id."""

    def build(text: str) -> str:
        (tmp_path / "Dockerfile").write_text(text.replace("BASE", image(NAME)))
        (tmp_path / "requirements.txt").write_text("itsdangerous==2.2.0\n")
        (tmp_path / "app.py").write_text("import itsdangerous; print('imported')\n")
        words = [client().program, "build", "--quiet", "--network", "host", "--", str(tmp_path)]
        done = run_program(words, env={"DOCKER_BUILDKIT": "1"}, timeout=300)
        return done.out.strip()

    return build


USUAL = """\
FROM BASE
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
RUN useradd --create-home app
USER app
CMD ["python", "app.py"]
"""
STAGES = """\
FROM BASE AS builder
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
FROM BASE
COPY --from=builder /usr/local/lib/python3.12/site-packages /usr/local/lib/python3.12/site-packages
COPY --from=builder /usr/local/bin /usr/local/bin
COPY app.py .
CMD python app.py
"""
UV = """\
FROM BASE AS builder
RUN pip install --no-cache-dir uv
COPY requirements.txt .
RUN uv pip install --system -r requirements.txt && uv venv /opt/venv \\
 && VIRTUAL_ENV=/opt/venv uv pip install -r requirements.txt
RUN python -c 'import itsdangerous'
FROM BASE
COPY --from=builder /opt/venv /opt/venv
COPY app.py .
ENV PATH=/opt/venv/bin:$PATH
CMD ["python", "app.py"]
"""


@pytest.mark.parametrize("text", [USUAL, STAGES, UV], ids=["usual", "stages", "uv"])
def test_a_dockerfile_of_the_usual_kinds(built: Callable[[str], str], text: str) -> None:
    image = built(text)
    try:
        assert docker("run", "--rm", image) == "imported"
    finally:
        docker("image", "rm", image)
