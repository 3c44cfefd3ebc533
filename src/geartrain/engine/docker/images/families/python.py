"""`python`: the distribution's interpreter, laid out as the official image has it.

There, everything lives below /usr/local, and images copy `/usr/local/lib/python3.12/site-packages`
from one stage to the next. So /usr/local is made a virtual environment of the distribution's
interpreter; what `uv pip install --system` or another Python writes to `dist-packages` is the same
folder.
"""

from __future__ import annotations

from geartrain.engine.docker.images.recipe import Recipe
from geartrain.engine.docker.images.reference import Reference
from geartrain.engine.docker.images.suites import PYTHON, Suite, Version, candidates, exact

SLIM = "slim"
# What most C extensions are compiled with; the full official image has these and more.
COMPILING = (
    "build-essential curl default-libmysqlclient-dev git libbz2-dev libffi-dev libjpeg-dev"
    " liblzma-dev libpq-dev libsqlite3-dev libssl-dev libxml2-dev libxslt1-dev libyaml-dev"
    " openssh-client pkg-config unzip wget xz-utils zlib1g-dev"
)


def recipes(reference: Reference) -> tuple[Recipe, ...]:
    """The ways to make a Python image, best first."""
    full = not any(word == SLIM or word.startswith("alpine") for word in reference.words)
    return tuple(
        _recipe(reference, version, suite, full=full)
        for version, suite in candidates(PYTHON, reference.version)
    )


def _recipe(reference: Reference, version: Version, suite: Suite, *, full: bool) -> Recipe:
    number = ".".join(map(str, version))
    notices = []
    if not exact(version, reference.version):
        asked = ".".join(map(str, reference.version))
        notices.append(f"Python {number} of {suite.title} runs in place of {asked}")
    if any(word.startswith("alpine") for word in reference.words):
        notices.append(f"it is {suite.title}, so `apk` is not in it")
    return Recipe(
        family="python",
        tag=reference.tag,
        suite=suite,
        gives=f"Python {number}",
        dockerfile=_dockerfile(number, full=full),
        notice="; ".join(notices),
    )


def _dockerfile(number: str, *, full: bool) -> str:
    python = f"python{number}"
    packages = f"{python} {python}-venv" + (f" {python}-dev {COMPILING}" if full else "")
    lib = f"/usr/local/lib/{python}"
    return f"""\
ARG BASE
FROM $BASE
ARG DEBIAN_FRONTEND=noninteractive
RUN apt-get update \\
 && apt-get install -y --no-install-recommends {packages} tzdata netbase \\
 && rm -rf /var/lib/apt/lists/* /usr/lib/{python}/EXTERNALLY-MANAGED \\
 && {python} -m venv /usr/local \\
 && rm -rf {lib}/dist-packages /usr/local/bin/[Aa]ctivate* \\
 && ln -s site-packages {lib}/dist-packages \\
 && python -c 'import ctypes, readline, sqlite3, ssl, venv' && pip --version
ENV LANG=C.UTF-8 \\
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
CMD ["python3"]
"""
