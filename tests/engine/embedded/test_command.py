"""Which command a service runs, and what it installs."""

from __future__ import annotations

from pathlib import Path

import pytest

from geartrain.app.model import Image, Role, Service
from geartrain.engine.embedded.command import declared, detect, split, unwrap
from geartrain.engine.embedded.installs import Installs, read_installs
from geartrain.engine.embedded.interpreter import base_python, choose, other_language


@pytest.mark.parametrize(
    ("image", "entrypoint", "command", "expected"),
    [
        ((["e"], ["c"]), None, None, "e c"),
        ((["e"], ["c"]), None, ["x"], "e x"),
        ((["e"], ["c"]), ["n"], None, "n"),
        ((["e"], ["c"]), ["n"], ["x"], "n x"),
        ((["e"], ["c"]), [], ["x"], "x"),
        ((["e"], ["c"]), [""], ["x"], "x"),
        (([], ["c", ""]), None, None, "c "),
        (([], []), None, None, ""),
    ],
)
def test_compose_overrides_the_image_as_docker_does(
    image: tuple[list[str], list[str]],
    entrypoint: list[str] | None,
    command: list[str] | None,
    expected: str,
) -> None:
    service = Service(
        name="a",
        role=Role.WEB,
        built=Image(entrypoint=tuple(image[0]), command=tuple(image[1])),
        entrypoint=None if entrypoint is None else tuple(entrypoint),
        command=None if command is None else tuple(command),
    )
    assert " ".join(declared(service)) == expected


@pytest.mark.parametrize(
    ("written", "run"),
    [
        ("tini -g -- uvicorn a:b", "uvicorn a:b"),
        ("/usr/bin/dumb-init -- gosu app uvicorn a:b", "uvicorn a:b"),
        ("uv run --no-sync --frozen uvicorn a:b", "uvicorn a:b"),
        ("uv run -- fastapi run", "fastapi run"),
        ("uv run main.py", "python main.py"),
        ("uv run -m links.web", "python -m links.web"),
        ("uv run --with x y", "uv run --with x y"),
        ("poetry run gunicorn a", "gunicorn a"),
        ("uvicorn run", "uvicorn run"),
    ],
)
def test_what_only_an_image_needs_is_taken_off(written: str, run: str) -> None:
    assert unwrap(written.split()) == tuple(run.split())


def test_runners_are_taken_out_of_shell_lines() -> None:
    line = "uv run --frozen alembic upgrade head && exec poetry run gunicorn a; echo uv run x"
    expected = "alembic upgrade head && exec gunicorn a; echo uv run x"
    assert unwrap(["/bin/sh", "-c", line]) == ("/bin/sh", "-c", expected)


def test_a_text_is_split_as_a_shell_would() -> None:
    assert split("node 'my app.js' --x") == ("node", "my app.js", "--x")
    assert split("a && b") == ("/bin/sh", "-c", "a && b")
    assert split(["a b", "$(c)"]) == ("a b", "$(c)")


@pytest.mark.parametrize(
    ("files", "programs", "expected"),
    [
        ({"main.py": "app = FastAPI()"}, "uvicorn", "uvicorn main:app"),
        ({"app/main.py": "api: FastAPI = fastapi.FastAPI()"}, "uvicorn", "uvicorn app.main:api"),
        ({"src/main.py": "app = FastAPI()"}, "uvicorn", "uvicorn main:app --app-dir src"),
        ({"app.py": "app = Flask(__name__)"}, "flask gunicorn", "gunicorn app:app"),
        ({"app.py": "app = Flask(__name__)"}, "flask", "flask --app app:app run"),
        ({"manage.py": "", "p/wsgi.py": ""}, "gunicorn", "gunicorn p.wsgi"),
        ({"manage.py": ""}, "", "python manage.py runserver --noreload"),
        ({"main.py": "app = FastAPI()", "app.py": "app = FastAPI()"}, "uvicorn", ""),
        ({"main.py": "app = FastAPI()"}, "", ""),
        ({"main.py": "print('hello')"}, "uvicorn", ""),
    ],
)
def test_usual_layouts_are_seen(
    files: dict[str, str], programs: str, expected: str, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "env/bin").mkdir(parents=True)
    for name in programs.split():
        (tmp_path / "env/bin" / name).touch()
    assert " ".join(detect(tmp_path, tmp_path / "env")) == expected


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("pip install --no-cache-dir -r requirements.txt", Installs(files=("requirements.txt",))),
        ("pip install -rr.txt -c c.txt", Installs(files=("r.txt",), constraints=("c.txt",))),
        ("pip install -U pip && pip3 install fastapi[standard]==0.1 'a>=1'",
         Installs(words=("fastapi[standard]==0.1", "a>=1"))),
        ("python -m pip install . gunicorn", Installs(words=("gunicorn",), projects=(".",))),
        ("cd api && pip install -e '.[prod]' --timeout 100", Installs(projects=("api/.[prod]",))),
        ('["pip", "install", "x"]', Installs(words=("x",))),
        ("uv pip install --system -i u x", Installs(words=("x",), options=("--index-url", "u"))),
        ("uv sync --frozen --no-dev --extra web", Installs(sync=("--extra", "web"))),
        ("uv sync --no-install-project", Installs(sync=(), without_project=True)),
        ("poetry config x false && poetry install --no-root", Installs(poetry=True)),
        ("apt-get install -y python3-pip pip", Installs()),
        ("echo pip install x", Installs()),
        ("pip install $WHAT --index-url=$INDEX -r", Installs()),
        ("pip install 'open", Installs()),
        ("uv sync --group '$(id)'", Installs(sync=())),
    ],
)  # fmt: skip
def test_run_lines_are_read_for_what_they_install(run: str, expected: Installs) -> None:
    assert read_installs([run]) == expected


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("python:3.12-slim", "3.12"),
        ("python:3.12.4", "3.12"),
        ("python:3", "3"),
        ("python", ""),
        ("python:slim", ""),
        ("registry:5000/library/python:3.11@sha256:0", "3.11"),
        ("ghcr.io/astral-sh/uv:python3.13-bookworm-slim", "3.13"),
        ("tiangolo/uvicorn-gunicorn-fastapi:python3.11", "3.11"),
        ("debian:bookworm", None),
        ("node:20", None),
    ],
)
def test_the_python_of_a_base_image(image: str, version: str | None) -> None:
    assert base_python(image) == version


def test_other_languages_are_known_by_their_images() -> None:
    assert other_language("node:20-alpine") == "node"
    assert other_language("golang") == "golang"
    assert other_language("company/base:1") is None


def executable(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    path.touch(0o755)
    return path


def test_an_interpreter_is_found_on_path_or_where_uv_keeps_its_own(tmp_path: Path) -> None:
    environ = {"PATH": f"{tmp_path}/shims:{tmp_path}/bin", "HOME": str(tmp_path)}
    executable(tmp_path / "shims/python3.99")
    stand_in = choose("3.99", environ)
    assert stand_in.notice.endswith("instead of 3.99")
    newest = executable(tmp_path / ".local/share/uv/python/cpython-3.99.10-x/bin/python3.99")
    executable(tmp_path / ".local/share/uv/python/cpython-3.99.9-x/bin/python3.99")
    assert choose("3.99", environ).path == newest
    on_path = executable(tmp_path / "bin/python3.99")
    found = choose("3.99", environ)
    assert (found.path, found.version, found.notice) == (on_path, "3.99", "")
