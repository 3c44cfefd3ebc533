"""A Dockerfile for a Python project that has none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

USER = 10001
"""Of no account on any machine; a number, so that Kubernetes knows that it is not root."""
VENV = "/opt/venv"
_CACHE = "type=cache,target=/root/.cache"
IGNORED = """\
.git
.venv
venv
**/__pycache__
**/*.pyc
.env
.env.*
.gear
node_modules
"""
"""`.dockerignore` beside it: what is never a part of the image."""


class Kind(StrEnum):
    """Which file says what is installed."""

    UV = "uv.lock"
    POETRY = "poetry.lock"
    PIPENV = "Pipfile.lock"
    REQUIREMENTS = "requirements.txt"
    PROJECT = "pyproject.toml"


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """What is known of a Python project.

    `files` are copied before the packages are installed, so that a change of the code alone does
    not install them again; empty when packages cannot be told from the code (`-e .`).
    """

    kind: Kind
    python: str  # "3.12"
    files: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ("requirements.txt",)
    packaged: bool = False  # it is a package itself, and is installed
    command: tuple[str, ...] = ()
    port: int | None = None


def dockerfile(project: Project, *, caches: bool = True) -> str:
    """The Dockerfile's text.

    Two stages: what is needed to install packages is not in the image that runs. Bytecode is
    compiled, so that the first start is not slower than later ones; the code belongs to root, and
    runs as a user who cannot change it.

    Args:
        project: what is known.
        caches: keep downloads between builds, which needs BuildKit.
    """
    mount = f"--mount={_CACHE} " if caches else ""
    install = _install(project, mount)
    parts = [
        "# The packages, and what installs them.",
        f"FROM python:{project.python}-slim AS build",
        "ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \\",
        "    UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never \\",
        f"    UV_PROJECT_ENVIRONMENT={VENV} VIRTUAL_ENV={VENV} PATH={VENV}/bin:$PATH",
        f"RUN {mount}{_tools(project.kind)}",
        "WORKDIR /app",
        *install,
        "RUN python -m compileall -q . || true",
        "",
        "# What runs: a user who cannot change the code.",
        f"FROM python:{project.python}-slim",
        f"ENV PATH={VENV}/bin:$PATH VIRTUAL_ENV={VENV} PYTHONUNBUFFERED=1",
        f"RUN useradd --system --uid {USER} --user-group --home-dir /app --no-create-home app",
        "WORKDIR /app",
        f"COPY --from=build {VENV} {VENV}",
        "COPY --from=build /app /app",
        f"USER {USER}:{USER}",
    ]
    if project.port:
        parts.append(f"EXPOSE {project.port}")
    if project.command:
        parts.append(f"CMD {json.dumps(list(project.command))}")
    return "\n".join(parts) + "\n"


def _tools(kind: Kind) -> str:
    names = {Kind.POETRY: "poetry", Kind.PIPENV: "pipenv"}
    own = f" {names[kind]}" if kind in names else ""
    # Outside the environment that goes into the image.
    return f"pip install uv{own} && uv venv {VENV}"


def _install(project: Project, mount: str) -> list[str]:
    """Copy what names the packages, install them, copy the rest."""
    first = [f"COPY {_words(project.files)} ./"] if project.files else ["COPY . ."]
    rest = ["COPY . ."] if project.files else []
    match project.kind:
        case Kind.UV:
            early = "--no-install-project " if project.files else ""
            commands = [f"uv sync --locked --no-dev --no-editable {early}".rstrip()]
            late = ["uv sync --locked --no-dev --no-editable"] if project.files else []
            late = late if project.packaged else []
        case Kind.POETRY:
            commands = ["poetry install --only main --no-root --no-interaction --compile"]
            late = ["uv pip install --no-deps ."] if project.packaged else []
        case Kind.PIPENV:
            commands, late = ["PIPENV_VERBOSITY=-1 pipenv sync"], []
        case Kind.REQUIREMENTS:
            files = " ".join(f"-r {_quoted(name)}" for name in project.requirements)
            commands, late = [f"uv pip install {files}"], []
        case Kind.PROJECT:
            commands, late = ["uv pip install ."], []
    return [
        *first,
        *(f"RUN {mount}{line}" for line in commands),
        *rest,
        *(f"RUN {mount}{line}" for line in late),
    ]


def _words(names: Sequence[str]) -> str:
    return " ".join(_quoted(name) for name in names)


def _quoted(name: str) -> str:
    """A file's name for COPY and for a shell; those with other characters are not taken."""
    if not name or not all(c.isalnum() or c in "._-/+" for c in name) or name.startswith("-"):
        raise ValueError(f"{name!r} cannot stand in a Dockerfile")
    return name
