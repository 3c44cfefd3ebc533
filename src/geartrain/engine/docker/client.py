"""Docker's own command-line client, and the daemon that it reaches.

A machine may have several clients (the distribution's and Docker's). Which one can do what is
asked, not guessed; which one builds is asked again when one of them has changed.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

import msgspec

from geartrain.engine.docker import examined
from geartrain.errors import Exit, GearError
from geartrain.run import CommandError, Completed, run

USUAL_PLACES = ("/usr/local/bin", "/usr/bin")
USUAL = "unix:///var/run/docker.sock"
ANSWER = 20.0
"""Seconds that a daemon has for a simple question; a busy one takes a while."""
# Variables that decide which client is found and which daemon it reaches (docs.docker.com).
_DECIDING = (
    *("PATH", "HOME"),
    *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"),
)


class Builder(StrEnum):
    """How a client builds images."""

    BUILDX = "buildx"  # BuildKit through the plugin of that name
    BUILTIN = "built-in"  # clients before 23 have BuildKit's client in them
    LEGACY = "legacy"  # the daemon's own older builder


@dataclass(frozen=True, kw_only=True, slots=True)
class Client:
    """One `docker` program."""

    program: str
    builder: Builder


@dataclass(frozen=True, kw_only=True, slots=True)
class Daemon:
    """The daemon that answers. `api` is the newest API version that it speaks, as (1, 41)."""

    version: str
    api: tuple[int, int]
    arch: str


def programs(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Every `docker` program, those on PATH first and in its order."""
    folders = [*environ.get("PATH", os.defpath).split(os.pathsep), *USUAL_PLACES]
    found: dict[str, str] = {}
    for folder in folders:
        if path := shutil.which("docker", path=folder) if folder else None:
            found.setdefault(os.path.realpath(path), path)
    return tuple(found.values())


def docker(
    *argv: str | Path,
    check: bool = True,
    timeout: float = 60.0,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Completed:
    """Run a docker command with the first client that reaches the daemon.

    Args:
        argv: what follows `docker`. What others wrote comes after `--` or an option's `=`.
        check: raise when it fails.
        timeout: seconds after which it is killed.
        stdin: text for its input.
        env: further environment variables, or other values for those that are there.
        cwd: its working folder.

    Raises:
        CommandError: it failed and `check` is set, or it took too long.
        GearError: there is no client, or no daemon that answers.
    """
    environ = {**os.environ, **(env or {})}
    where = tuple(environ.get(name) for name in _DECIDING)
    program = _reaching(where)
    done = run((program, *argv), env=environ, cwd=cwd, stdin=stdin, timeout=timeout, check=False)
    if check and done.code != 0:
        _explain(program, environ)  # the daemon may have ended since
        raise CommandError(done)
    return done


def reaching() -> str:
    """The client that reaches the daemon, for who becomes it.

    Raises:
        GearError: there is none.
    """
    return _reaching(tuple(os.environ.get(name) for name in _DECIDING))


def endpoint() -> str:
    """Where the daemon is that a client would ask, such as `unix:///var/run/docker.sock`.

    Raises:
        GearError: there is no client.
    """
    return _used_endpoint(tuple(os.environ.get(name) for name in _DECIDING))


def daemon(environ: Mapping[str, str] | None = None) -> Daemon:
    """What the daemon says of itself.

    Raises:
        GearError: there is no client, or no daemon answers; with what to do.
    """
    known = os.environ if environ is None else environ
    found = programs(known)
    if not found:
        raise _no_client()
    for program in found:
        if (answer := _ask(program, known)) is not None:
            return answer
    raise _silent(found[0], known)


def client(path: str | None = None) -> Client:
    """The client to build with: the first that can do BuildKit, else the first.

    Args:
        path: the PATH to look in; default this process's own.

    Raises:
        GearError: there is none.
    """
    with _examining:  # who asks while another one finds it out has only to wait
        return _found(path)


_examining = threading.Lock()


@cache
def _found(path: str | None) -> Client:
    environ = {**os.environ, **({} if path is None else {"PATH": path})}
    every = programs(environ)
    if not every:
        raise _no_client()
    now = examined.state(every, environ)
    if kept := examined.recall(now, environ):
        return Client(program=kept.program, builder=Builder(kept.builder))
    found = _best(every, environ)
    examined.keep(examined.Found(state=now, program=found.program, builder=found.builder), environ)
    return found


def _best(every: Sequence[str], environ: Mapping[str, str]) -> Client:
    legacy = []
    for program in every:
        found = _examine(program, environ)
        if found.builder is not Builder.LEGACY:
            return found
        legacy.append(found)
    return legacy[0]


@cache
def build_words(used: Client) -> tuple[str, ...]:
    """The arguments that start a build whose image the daemon has afterwards.

    buildx may be told to use a builder of its own by default, which sees no local images; the one
    that is called as the context is the daemon's.
    """
    if used.builder is Builder.LEGACY:
        return ("build", "--force-rm")  # it would leave the container of a step that failed
    if used.builder is Builder.BUILTIN:
        return ("build",)
    context = run([used.program, "context", "show"], timeout=ANSWER, check=False).out.strip()
    return ("buildx", "build", f"--builder={context or 'default'}", "--load")


def build_environment(used: Client, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a build: this process's, without what is about Git or other builders."""
    return {
        **{name: value for name, value in environ.items() if not name.startswith("GIT_")},
        "DOCKER_BUILDKIT": "0" if used.builder is Builder.LEGACY else "1",
        "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",  # an image, not an index of two
    }


def _examine(program: str, environ: Mapping[str, str]) -> Client:
    if run([program, "buildx", "version"], env=environ, timeout=ANSWER, check=False).code == 0:
        builder = Builder.BUILDX
    else:
        # Only a client that has BuildKit itself offers its options then.
        asked = {**environ, "DOCKER_BUILDKIT": "1"}
        help_ = run([program, "build", "--help"], env=asked, timeout=ANSWER, check=False)
        builder = Builder.BUILTIN if "--secret" in help_.out else Builder.LEGACY
    return Client(program=program, builder=builder)


@cache
def _reaching(where: tuple[str | None, ...]) -> str:
    """The first client that gets an answer; with none, the first at all."""
    settings = {name: value for name, value in zip(_DECIDING, where, strict=True) if value}
    environ = {**os.environ, **settings}
    found = programs(environ)
    if not found:
        raise _no_client()
    if len(found) == 1:
        return found[0]
    return next((one for one in found if _ask(one, environ) is not None), found[0])


@cache
def _used_endpoint(where: tuple[str | None, ...]) -> str:
    environ = {name: value for name, value in zip(_DECIDING, where, strict=True) if value}
    if environ.get("DOCKER_HOST"):
        return environ["DOCKER_HOST"]
    if not environ.get("DOCKER_CONTEXT") and not _names_context(environ):
        return USUAL
    found = programs(environ)
    if not found:
        raise _no_client()
    return _endpoint(found[0], {**os.environ, **environ})


def _names_context(environ: Mapping[str, str]) -> bool:
    """Whether `docker context use` has chosen another daemon than the usual one."""
    folder = environ.get("DOCKER_CONFIG") or Path(environ.get("HOME") or Path.home(), ".docker")
    try:
        return '"currentContext"' in Path(folder, "config.json").read_text(errors="replace")
    except OSError:
        return False


class _Version(msgspec.Struct):
    """`docker version`'s part about the server."""

    version: str = msgspec.field(name="Version")
    api: str = msgspec.field(name="ApiVersion")
    arch: str = msgspec.field(name="Arch")


def _ask(program: str, environ: Mapping[str, str]) -> Daemon | None:
    words = [program, "version", "--format", "{{json .Server}}"]
    done = run(words, env=environ, timeout=ANSWER, check=False)
    try:
        said = msgspec.json.decode(done.out, type=_Version | None)
    except msgspec.MsgspecError:
        return None
    if done.code != 0 or said is None:
        return None
    major, _, minor = said.api.partition(".")
    return Daemon(version=said.version, api=(int(major), int(minor)), arch=said.arch)


def _explain(program: str, environ: Mapping[str, str]) -> None:
    """Raise when a command failed because no daemon answers."""
    if _ask(program, environ) is None:
        raise _silent(program, environ)


def _no_client() -> GearError:
    sudo = "" if os.geteuid() == 0 else "sudo "
    return GearError(
        "docker is not there",
        remedy=f"{sudo}apt-get install docker.io, or see docs.docker.com/engine/install",
        code=Exit.MISSING,
    )


def _silent(program: str, environ: Mapping[str, str]) -> GearError:
    """Why no daemon answers, and what helps."""
    said = run([program, "version"], env=environ, timeout=ANSWER, check=False).err
    endpoint = _endpoint(program, environ)
    socket = Path(endpoint.removeprefix("unix://")) if endpoint.startswith("unix://") else None
    tail = said.strip().splitlines()[-3:]
    if socket is not None and socket.exists() and not os.access(socket, os.R_OK | os.W_OK):
        return GearError(
            f"this user may not use Docker ({socket})",
            remedy="sudo usermod -aG docker $USER, then log in again;"
            " members of that group are root in all but name",
            tail=tail,
            code=Exit.MISSING,
        )
    remedy = f"start what listens at {endpoint}, or correct DOCKER_HOST"
    if socket == Path(USUAL.removeprefix("unix://")) and not environ.get("DOCKER_HOST"):
        sudo = "" if os.geteuid() == 0 else "sudo "
        remedy = f"{sudo}systemctl start docker"
    return GearError(
        f"no Docker daemon answers at {endpoint}", remedy=remedy, tail=tail, code=Exit.MISSING
    )


def _endpoint(program: str, environ: Mapping[str, str]) -> str:
    if environ.get("DOCKER_HOST"):
        return environ["DOCKER_HOST"]
    words = [program, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    said = run(words, env=environ, timeout=ANSWER, check=False).out.strip()
    return said or USUAL
