"""What is seen in a Python project without a Dockerfile."""

from __future__ import annotations

from pathlib import Path

import pytest

from geartrain.app.model import Role, Service
from geartrain.engine.docker.builds.project import look
from geartrain.errors import InvalidError
from geartrain.render.dockerfile import Kind

WEB = Service(name="web", role=Role.WEB, port=8080)
COMMANDED = Service(name="web", role=Role.WEB, command=("python", "x.py"))


def put(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_a_locked_project_with_a_server(tmp_path: Path) -> None:
    put(
        tmp_path,
        pyproject_dot_toml='[project]\nname = "x"\ndependencies = ["fastapi", "uvicorn"]\n',
        uv_dot_lock='[[package]]\nname = "uvicorn"\n',
        app__main_dot_py="app = FastAPI()\n",
    )
    found = look(tmp_path, WEB, "services.web")
    assert (found.kind, found.files, found.packaged) == (
        Kind.UV, ("pyproject.toml", "uv.lock"), False,
    )  # fmt: skip
    assert found.command == ("uvicorn", "app.main:app", "--host", "0.0.0.0", "--port", "8080")


def test_a_command_of_the_compose_file_is_the_one(tmp_path: Path) -> None:
    put(tmp_path, requirements_dot_txt="flask\n", app_dot_py="app = Flask(__name__)\n")
    assert look(tmp_path, COMMANDED, "services.web").command == ()
    assert look(tmp_path, WEB, "services.web").command == (
        "flask", "--app", "app:app", "run", "--host", "0.0.0.0", "--port", "8080",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("texts", "files"),
    [
        ({"requirements.txt": "flask\n"}, ("requirements.txt",)),
        ({"requirements.txt": "-r a.txt\n-c b.txt\n", "a.txt": "", "b.txt": "-r requirements.txt"},
         ("requirements.txt", "a.txt", "b.txt")),
        ({"requirements.txt": "-e .\n"}, ()),
        ({"requirements.txt": "./lib\n"}, ()),
        ({"requirements.txt": "-r requirements/base.txt\n"}, ()),
        ({"requirements.txt": "-r ../x.txt\n"}, ()),
        ({"requirements.txt": "-r 'a b.txt'\n"}, ()),
    ],
)  # fmt: skip
def test_files_that_can_be_copied_first(
    tmp_path: Path, texts: dict[str, str], files: tuple[str, ...]
) -> None:
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    assert look(tmp_path, COMMANDED, "services.web").files == files


@pytest.mark.parametrize(
    ("pinned", "requires", "python"),
    [
        ("3.11.4\n", "", "3.11"),
        ("", ">=3.11", "3.13"),
        ("", ">=3.10,<3.12", "3.11"),
        ("", "==3.12.*", "3.12"),
        ("", "~=3.11", "3.11"),
        ("", ">=3.14", "3.14"),
        ("", "", "3.13"),
    ],
)
def test_the_version_of_python(tmp_path: Path, pinned: str, requires: str, python: str) -> None:
    put(tmp_path, pyproject_dot_toml=f'[project]\nname = "x"\nrequires-python = "{requires}"\n')
    if pinned:
        (tmp_path / ".python-version").write_text(pinned)
    assert look(tmp_path, COMMANDED, "services.web").python == python


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="none of the files of a Python project"):
        look(tmp_path, WEB, "services.web")
    put(tmp_path, requirements_dot_txt="x\n")
    with pytest.raises(InvalidError, match="no command says how to start it") as error:
        look(tmp_path, WEB, "services.web")
    assert error.value.remedy == "add `command:` to the service"
