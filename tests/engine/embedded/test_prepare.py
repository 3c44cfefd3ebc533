"""Services made runnable without Docker, with real uv and real packages."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from geartrain.app.model import Build, Image, Mount, MountKind, Role, Service
from geartrain.app.policy import Embedded, ServicePolicy
from geartrain.engine.embedded.localize import localize
from geartrain.engine.embedded.python import Prepared, prepare
from geartrain.engine.embedded.venv import MARKER, USERS, sweep, uv_environment
from geartrain.errors import GearError, InvalidError
from geartrain.load.dockerfile import read

OWN = "{}.{}".format(*__import__("sys").version_info)
FROM = f"FROM python:{OWN}-slim\nWORKDIR /app\n"


class Box:
    """A project folder, the release made of it, and the environments beside."""

    def __init__(self, root: Path) -> None:
        self.root, self.envs, self.checkout = root, root / "envs", root / "src"
        self.checkout.mkdir()
        self.said: list[str] = []

    def write(self, **files: str) -> Box:
        for name, text in files.items():
            path = self.checkout / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return self

    def prepare(
        self, dockerfile: str, environ: dict[str, str] | None = None, **rest: object
    ) -> Prepared:
        rest.setdefault("built", read(dockerfile))
        rest.setdefault("build", Build(context="."))
        service = Service(name="backend", role=Role.WEB, **rest)  # type: ignore[arg-type]
        return self.of(service, environ)

    def of(self, service: Service, environ: dict[str, str] | None = None) -> Prepared:
        import uv

        return prepare(
            service,
            self.checkout,
            self.envs,
            Path(uv.find_uv_bin()),
            target=self.root / "release",
            report=self.said.append,
            environ={**os.environ, **(environ or {})},
        )


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def package(folder: Path, name: str, version: str = "1.0", needs: str = "") -> Path:
    """A small project that builds without the network."""
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(
        f"version = '{version}'\ndef main(): print('{name} ran')\n"
    )
    (folder / "backend.py").write_text(BACKEND.replace("NAME", name).replace("VERSION", version))
    (folder / "pyproject.toml").write_text(
        f"[project]\nname = '{name}'\nversion = '{version}'\ndependencies = [{needs}]\n"
        f"scripts = {{ {name}-run = '{name}:main' }}\n"
        "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
    )
    return folder


BACKEND = """
import zipfile
WHEEL = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
def build_wheel(folder, settings=None, metadata=None):
    file = "NAME-VERSION-py3-none-any.whl"
    info = "NAME-VERSION.dist-info"
    with zipfile.ZipFile(f"{folder}/{file}", "w") as z:
        z.write("NAME/__init__.py", "NAME/__init__.py")
        z.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: NAME\\nVersion: VERSION\\n")
        z.writestr(f"{info}/WHEEL", WHEEL)
        z.writestr(f"{info}/entry_points.txt", "[console_scripts]\\nNAME-run = NAME:main\\n")
        z.writestr(f"{info}/RECORD", "")
    return file
"""


def wheels(tmp_path: Path, *names: str) -> dict[str, str]:
    """An index of our own: a folder of wheels, as `UV_FIND_LINKS` has it."""
    import sys

    folder = tmp_path / "wheels"
    folder.mkdir(exist_ok=True)
    for name in names:
        project = package(tmp_path / f"of-{name}", name)
        code = f"import backend; backend.build_wheel({str(folder)!r})"
        subprocess.run([sys.executable, "-c", code], cwd=project, check=True)
    return {"UV_FIND_LINKS": str(folder), "UV_NO_INDEX": "1"}


def output(ready: Prepared, argv: tuple[str, ...] | None = None) -> str:
    words, env = localize(
        argv or ready.argv, ready.env, address="127.46.0.1", port=8000, names={}, paths=ready.paths
    )
    return subprocess.run(
        words, cwd=ready.cwd, env=env, capture_output=True, text=True, check=True
    ).stdout.strip()


def show(*modules: str) -> str:
    return f'CMD ["python", "-c", "import {", ".join(modules)}; print(1)"]\n'


def test_requirements_that_the_dockerfile_names(box: Box, tmp_path: Path) -> None:
    environ = wheels(tmp_path, "aa", "bb", "cc")
    box.write(
        **{"needs/prod.txt": "-r base.txt\n-c pins.txt\nbb  # why\n", "needs/base.txt": "aa\n"}
    )
    box.write(**{"needs/pins.txt": "bb==1.0\n", "requirements.txt": "nowhere==9\n"})
    dockerfile = f"{FROM}COPY . .\nRUN pip install -r needs/prod.txt cc\n{show('aa', 'bb', 'cc')}"
    ready = box.prepare(dockerfile, environ)
    assert output(ready) == "1"
    assert box.said == ["backend: installing the packages of prod.txt"]
    assert ready.cwd == box.checkout
    assert ready.notices == ()
    again = box.prepare(dockerfile, environ)
    assert again == ready
    assert len(box.said) == 1
    box.write(**{"needs/base.txt": "aa==1.0\n"})
    assert box.prepare(dockerfile, environ).venv != ready.venv


PIPFILE = '{"default": {"aa": {"version": "==1.0", "markers": "os_name != \'nt\'"}}}'
POETRY = "[project]\nname = 'x'\nversion = '1'\ndependencies = ['aa']\n"


@pytest.mark.parametrize(
    ("files", "run"),
    [
        ({"requirements.txt": "aa\n"}, ""),
        ({"pyproject.toml": "[project]\nname = 'x'\nversion = '1'\ndependencies = ['aa']\n"}, ""),
        ({}, "RUN pip install aa"),
        ({"Pipfile.lock": PIPFILE}, ""),
        ({"poetry.lock": "", "pyproject.toml": POETRY}, "RUN poetry export > x; pip install -r x"),
        ({"sub/requirements.txt": "aa\n"}, "RUN cd sub && pip install -r requirements.txt"),
    ],
)  # fmt: skip
def test_where_packages_come_from(
    files: dict[str, str], run: str, box: Box, tmp_path: Path
) -> None:
    box.write(**files)
    ready = box.prepare(f"{FROM}COPY . .\n{run}\n{show('aa')}", wheels(tmp_path, "aa"))
    assert output(ready) == "1"


LOCKED = """
[project]
name = "app"
version = "1"
requires-python = ">=3.11"
dependencies = ["aa"]
scripts = { serve = "app:main" }
[dependency-groups]
dev = ["bb"]
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
"""


def test_a_uv_lock(box: Box, tmp_path: Path) -> None:
    import uv

    environ = wheels(tmp_path, "aa", "bb")
    box.write(
        **{
            "pyproject.toml": LOCKED,
            "src/app/__init__.py": "def main(): import aa; print('served')",
        }
    )
    env = uv_environment({**os.environ, **environ})
    subprocess.run([uv.find_uv_bin(), "lock", "-q"], cwd=box.checkout, env=env, check=True)
    ready = box.prepare(
        f'{FROM}COPY . .\nRUN uv sync --frozen --no-dev\nCMD ["uv", "run", "serve"]', environ
    )
    assert output(ready) == "served"
    assert ready.venv is not None
    assert not list(ready.venv.glob("lib/*/site-packages/bb"))
    assert not (box.checkout / ".venv").exists()
    metadata = "import importlib.metadata as m; print(m.version('app'))"
    assert output(ready, (f"{ready.venv}/bin/python", "-c", metadata)) == "1"


LOCK = """
[[package]]
name = "aa"
version = "1.0"
[[package]]
name = "-r x"
version = "1"
"""


def test_a_poetry_lock_keeps_its_versions(box: Box, tmp_path: Path) -> None:
    environ = wheels(tmp_path, "aa")
    newer = package(tmp_path / "newer", "aa", "2.0")
    code = f"import backend; backend.build_wheel({environ['UV_FIND_LINKS']!r})"
    subprocess.run(["python3", "-c", code], cwd=newer, check=True)
    box.write(
        **{
            "pyproject.toml": "[project]\nname = 'app'\nversion = '1'\ndependencies = ['aa']\n",
            "poetry.lock": LOCK,
        }
    )
    dockerfile = (
        f'{FROM}COPY . .\nRUN poetry install\nCMD ["python", "-c", "import aa; print(aa.version)"]'
    )
    assert output(box.prepare(dockerfile, environ)) == "1.0"


def test_the_project_itself_is_importable_and_its_scripts_run(box: Box, tmp_path: Path) -> None:
    environ = wheels(tmp_path, "aa")
    package(box.checkout, "mine", needs="'aa'")
    built = f'{FROM}COPY . .\nRUN pip install .\nCMD ["mine-run"]'
    ready = box.prepare(built, environ)
    assert output(ready) == "mine ran"
    assert box.said[-1] == "backend: building src"  # an unknown build backend: really built
    shared = ready.venv
    assert shared is not None
    assert not list(shared.glob("lib/*/site-packages/mine"))


@pytest.mark.parametrize("backend", ["backend", "hatchling.build"])
def test_what_runs_is_not_made_anew_for_a_second_command(
    box: Box, tmp_path: Path, backend: str
) -> None:
    environ = wheels(tmp_path, "aa")
    project = package(box.checkout, "mine", needs="'aa'") / "pyproject.toml"
    project.write_text(project.read_text().replace("= 'backend'", f"= '{backend}'"))
    dockerfile = f'{FROM}COPY . .\nRUN pip install .\nCMD ["mine-run"]'
    made = []
    for _ in range(2):
        assert output(box.prepare(dockerfile, environ)) == "mine ran"
        files = {path: path.stat() for path in (box.root / "release").rglob("*")}
        made.append({path: (one.st_ino, one.st_mtime_ns) for path, one in files.items()})
    assert made[0] == made[1] != {}


def test_paths_of_the_image_lead_to_the_checkout(box: Box) -> None:
    box.write(
        **{
            "src/main.py": "import sys, os; print(sys.argv[1:], os.environ['CONFIG'])",
            "run.sh": "exec python $1",
        }
    )
    ready = box.prepare(
        f"{FROM}COPY src/ /app\nCOPY run.sh /\nENV CONFIG=/app/x.toml PATH=/nowhere\n"
        'CMD ["python", "/app/main.py", "/run.sh"]'
    )
    assert ready.cwd == box.checkout / "src"
    assert output(ready) == f"['{box.checkout}/run.sh'] {box.checkout}/src/x.toml"


def test_a_script_without_its_executable_bit_runs(box: Box) -> None:
    box.write(**{"entry.sh": '#!/bin/sh\necho "$@"', "deep/x.py": "print(2)"})
    ready = box.prepare(f'{FROM}COPY . .\nENTRYPOINT ["./entry.sh"]\nCMD ["a b", "c"]')
    assert output(ready) == "a b c"


def test_mounted_source_stands_in_for_an_image(box: Box, tmp_path: Path) -> None:
    environ = wheels(tmp_path, "aa")
    box.write(**{"api/main.py": "import aa; print('up')", "api/requirements.txt": "aa"})
    service = Service(
        name="api",
        role=Role.OTHER,
        image=f"python:{OWN}",
        working_dir="/code",
        command=("sh", "-c", "pip install -q --no-index -r requirements.txt && python main.py"),
        mounts=(Mount(kind=MountKind.BIND, source="api", target="/code"),),
    )
    ready = box.of(service, environ)
    assert ready.cwd == box.checkout / "api"
    assert output(ready) == "up"


def test_another_python_is_said_to_be_another(box: Box) -> None:
    ready = box.prepare('FROM python:3.99-slim\nCMD ["python", "-V"]')
    assert ready.notices == (f"backend runs on Python {OWN} instead of 3.99",)
    assert output(ready).startswith(f"Python {OWN}")


def test_what_nobody_runs_is_said(box: Box) -> None:
    ready = box.prepare(f'{FROM}RUN python manage.py collectstatic\nCMD ["python", "-V"]')
    assert ready.notices == (
        (
            "backend: `python manage.py collectstatic` of the Dockerfile is not run here;"
            " put it in x-gear.release or the command"
        ),
    )


def test_the_users_environment_stays_with_the_user(box: Box) -> None:
    secret = {"AWS_SECRET_ACCESS_KEY": "x", "DATABASE_URL": "y", "PYTHONHOME": "/z"}
    ready = box.prepare(f'{FROM}CMD ["python", "-V"]', secret)
    assert not secret.keys() & ready.env.keys()


def embedded(command: str | list[str]) -> ServicePolicy:
    return ServicePolicy(embedded=Embedded(command=command))


def test_another_language_runs_by_its_own_command(box: Box) -> None:
    box.write(**{"index.sh": "echo served $1"})
    ready = box.prepare("FROM node:20\nWORKDIR /a\nCOPY . .", gear=embedded("sh index.sh 'a  b'"))
    assert ready.venv is None
    assert output(ready) == "served a b"


RUNS = FROM + 'CMD ["x"]'
REFUSED: dict[str, tuple[Callable[[Box], Prepared], str]] = {
    "another language": (
        lambda box: box.prepare('FROM node:20\nCMD ["node", "."]'),
        ("services.backend.build: backend cannot run without Docker as it is: it is built from"
        " node:20, not from Python\n  → set x-gear.embedded.command"),
    ),
    "no language": (
        lambda box: box.prepare('FROM debian:12\nCMD ["x"]'),
        "it is built from debian:12, not from Python",
    ),
    "an image": (
        lambda box: box.of(Service(name="q", role=Role.OTHER, image="rabbitmq:4")),
        ("services.q.image: the image rabbitmq:4 has no counterpart that runs without Docker\n"
        "  → set x-gear.embedded.command to what starts it here,"
        " or run this app with Docker Compose"),
    ),
    "no command": (
        lambda box: box.prepare(FROM),
        "services.backend: no command says how to start it\n  → add `command:`",
    ),
    "no such program": (
        lambda box: box.prepare(f'{FROM}CMD ["gunicorn-not-there", "a"]'),
        "services.backend: the program gunicorn-not-there is not there\n  → add the package",
    ),
    "a missing file": (
        lambda box: box.prepare(f'{FROM}RUN pip install -r absent.txt\nCMD ["x"]'),
        "services.backend: absent.txt, which the Dockerfile installs from, is not there",
    ),
    "a missing inner file": (
        lambda box: box.write(**{"requirements.txt": "aa\n-r inner.txt\n"}).prepare(RUNS),
        "requirements.txt:2: inner.txt is not there",
    ),
    "a file outside": (
        lambda box: box.write(**{"requirements.txt": "-r ../outside.txt\n"}).prepare(RUNS),
        "outside.txt leads outside the project folder",
    ),
    "a context outside": (
        lambda box: box.prepare(FROM, build=Build(context="../..")),
        "services.backend.build.context: the build context ../.. is not a folder of the project",
    ),
    "a broken lock": (
        lambda box: box.write(**{"Pipfile.lock": "{"}).prepare(RUNS),
        "Pipfile.lock cannot be read",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_run_is_refused(case: str, box: Box) -> None:
    (box.root / "outside.txt").write_text("x")
    act, message = REFUSED[case]
    with pytest.raises(InvalidError) as caught:
        act(box)
    assert message in str(caught.value)


def test_uvs_own_words_are_told(box: Box, tmp_path: Path) -> None:
    environ = wheels(tmp_path, "aa")
    box.write(**{"requirements.txt": "aa==7.0\n"})
    with pytest.raises(GearError) as caught:
        box.prepare(FROM + 'CMD ["x"]', environ)
    said = str(caught.value)
    assert said.startswith("backend: uv could not install the packages of requirements.txt")
    assert "aa==7.0" in said
    assert "→ correct requirements.txt" in said
    assert not [path for path in box.envs.iterdir() if path.is_dir()]


@pytest.mark.parametrize(
    "line",
    ["--index-url=file:///$(touch hacked)", 'aa; os_name == "`touch hacked`"', "$(touch hacked)"],
)
def test_hostile_requirements_reach_no_shell(line: str, box: Box) -> None:
    box.write(**{"requirements.txt": line})
    with pytest.raises(GearError):
        box.prepare(f'{FROM}COPY . .\nCMD ["x-not-there"]', {"UV_NO_INDEX": "1"})
    assert not list(box.root.rglob("hacked"))


def test_an_environment_that_was_left_half_made_is_made_anew(box: Box, tmp_path: Path) -> None:
    environ = wheels(tmp_path, "aa")
    box.write(**{"requirements.txt": "aa\n"})
    dockerfile = f"{FROM}COPY . .\n{show('aa')}"
    ready = box.prepare(dockerfile, environ)
    assert ready.venv is not None
    (ready.venv / "geartrain-complete").unlink()
    (ready.venv / "bin/python").unlink()
    assert output(box.prepare(dockerfile, environ)) == "1"


def test_an_environment_whose_interpreter_is_gone_is_made_anew(box: Box) -> None:
    dockerfile = f'{FROM}CMD ["python", "-V"]'
    ready = box.prepare(dockerfile)
    assert ready.venv is not None
    (ready.venv / "bin/python").unlink()
    (ready.venv / "bin/python").symlink_to("/gone")
    assert output(box.prepare(dockerfile)).startswith("Python")


def test_two_builds_at_once_make_one_environment(box: Box, tmp_path: Path) -> None:
    environ = wheels(tmp_path, "aa")
    box.write(**{"requirements.txt": "aa\n"})
    dockerfile = f"{FROM}COPY . .\n{show('aa')}"
    with ThreadPoolExecutor(4) as pool:
        ready = list(pool.map(lambda _: box.prepare(dockerfile, environ), range(4)))
    assert len({one.venv for one in ready}) == 1
    assert sum("installing" in line for line in box.said) == 1


def test_preparing_again_runs_nothing(
    box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = wheels(tmp_path, "aa")
    box.write(**{"requirements.txt": "aa\n"})
    dockerfile = f"{FROM}COPY . .\n{show('aa')}"
    box.prepare(dockerfile, environ)
    service = Service(name="b", role=Role.WEB, build=Build(context="."), built=read(dockerfile))
    monkeypatch.setattr(subprocess, "Popen", None)
    times = []
    for _ in range(10):
        start = time.process_time()
        box.of(service, environ)
        times.append(time.process_time() - start)
    assert min(times) < 0.005


def test_an_image_without_a_dockerfile_in_the_model(box: Box) -> None:
    box.write(**{"requirements.txt": "", "main.py": "print('x')"})
    ready = box.prepare("FROM x", built=Image(), command=("python", "main.py"))
    assert output(ready) == "x"


def test_environments_out_of_use_are_swept(box: Box) -> None:
    first = box.prepare(f'{FROM}CMD ["python", "-V"]').venv
    second = box.prepare(f'{FROM}RUN pip install --pre -i x\nCMD ["python", "-V"]').venv
    assert first is not None
    assert second is not None
    assert first != second
    os.utime(first / MARKER, (0, 0))
    assert sweep(box.envs, unused=60) == (), "its release is kept, however long it has run"
    box.checkout.rename(box.root / "elsewhere")
    assert sweep(box.envs, unused=60) == (first,)
    assert not first.exists()
    assert second.exists()


def test_an_environment_that_is_asked_for_while_it_is_swept_is_whole(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    dockerfile = f'{FROM}CMD ["python", "-V"]'
    made = box.prepare(dockerfile).venv
    assert made is not None
    (made / USERS).rename(made / "none")
    os.utime(made / MARKER, (0, 0))
    removes = threading.Event()
    real = shutil.rmtree

    def slowly(path: Path, **rest: Any) -> None:
        removes.set()
        time.sleep(0.2)
        real(path, **rest)

    monkeypatch.setattr(shutil, "rmtree", slowly)
    sweeping = threading.Thread(target=sweep, args=(box.envs,), kwargs={"unused": 60})
    sweeping.start()
    assert removes.wait(10)
    ready = box.prepare(dockerfile)
    sweeping.join()
    assert output(ready).startswith("Python")


def test_a_build_whose_command_was_killed_is_waited_for(box: Box, tmp_path: Path) -> None:
    """Its uv goes on by itself; another app's command does not know of it."""
    dockerfile = f'{FROM}CMD ["python", "-V"]'
    service = Service(name="b", role=Role.WEB, build=Build(context="."), built=read(dockerfile))
    uv, begun = tmp_path / "uv", tmp_path / "begun"
    uv.write_text(
        '#!/bin/sh\nfor last; do :; done\nmkdir -p "$last"\n'
        f'touch {begun}\nsleep 1\nmkdir -p "$last"\ntouch "$last/late"\n'
    )
    uv.chmod(0o755)
    child = os.fork()
    if not child:
        try:
            prepare(
                service, box.checkout, box.envs, uv, target=tmp_path / "other",
                report=lambda _: None,
            )  # fmt: skip
        finally:
            os._exit(0)
    end = time.monotonic() + 30
    while not begun.exists() and time.monotonic() < end:
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    ready = box.prepare(dockerfile)
    time.sleep(1.0)  # in which the other would have written
    assert ready.venv is not None
    assert not (ready.venv / "late").exists()
    assert output(ready).startswith("Python")
    assert [line for line in box.said if "waiting for another build" in line]
