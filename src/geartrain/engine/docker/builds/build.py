"""Building a service's image.

What is written in the repository decides what runs inside the build, and nothing outside of it:
options are argument lists, secrets are files that are mounted while a step runs, and the images
that the Dockerfile names are got before.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from geartrain.app.model import App, Service
from geartrain.engine.docker import space
from geartrain.engine.docker.builds import failure, indexes
from geartrain.engine.docker.builds.project import look
from geartrain.engine.docker.builds.steps import Steps
from geartrain.engine.docker.client import (
    Builder,
    Client,
    build_environment,
    build_words,
    client,
    docker,
)
from geartrain.engine.docker.images.base import IMAGE
from geartrain.engine.docker.images.ensure import ensure, state_folder
from geartrain.engine.docker.images.reference import parse
from geartrain.engine.docker.images.registry import Registries
from geartrain.engine.logins import read_source
from geartrain.engine.protocol import Say
from geartrain.errors import GearError, InvalidError
from geartrain.load import bases
from geartrain.render.dockerfile import IGNORED, dockerfile
from geartrain.run import CommandError, follow

AT_MOST = 3600.0
"""Seconds for one build."""
PREFIX = "gear-build-"
"""Begins the names of folders that are there while a build runs."""
PLENTY = 20_000_000_000
"""Free bytes from which on nobody asks how large an image is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What is to be built.

    `source` is a checkout of the app's repository, and `tag` the image's name. Images of the same
    repository (`tag` without what follows the colon) are older ones of the service. `values` are
    what build secrets come from; None: the caller's environment.
    """

    app: App
    service: Service
    source: Path
    tag: str
    labels: Mapping[str, str]
    values: Mapping[str, str] | None = None


def build(
    order: Order,
    say: Say,
    *,
    environ: Mapping[str, str] = os.environ,
    state: Path | None = None,
    scratch: Path | None = None,
) -> str:
    """Build a service's image and return its name, `order.tag`.

    Args:
        order: what is to be built.
        say: told in a line what is done differently.
        environ: the caller's environment: proxies, indexes, secrets that come from it.
        state: folder of what is remembered of registries; default this user's own.
        scratch: where files that the build needs meanwhile are, secrets among them; whoever
            calls deletes what a killed build left there. Default the machine's own.

    Raises:
        InvalidError: what the repository says cannot be built.
        GearError: an image it needs is not to be had, there is too little room, or it failed.
    """
    place = f"services.{order.service.name}.build"
    file = _find(order, place, say)
    used = client()
    guard = None
    if (room := space.measured()) is not None:
        last = _last_size(order.tag.rpartition(":")[0]) if room.free < PLENTY else 0
        space.check(room, last=last, service=order.service.name)
        guard = space.Guard(room, order.service.name)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=scratch) as folder:
        words = _words(order, file, used, Path(folder), say, environ, state, place)
        _run(used, words, order, file, environ, say, guard)
    return order.tag


@dataclass(frozen=True, kw_only=True, slots=True)
class _File:
    """The Dockerfile of a build: its text, its name for messages, and where it is, if anywhere."""

    context: Path
    text: str
    shown: str
    path: Path | None = None
    made: bool = False


def _find(order: Order, place: str, say: Say) -> _File:
    made = order.service.build
    if made is None:
        raise InvalidError("there is nothing to build", where=place)
    root = order.source.resolve()
    context = (root / made.context).resolve()
    path = context / made.dockerfile
    for there in (context, path.resolve()):
        if not there.is_relative_to(root):
            raise InvalidError(f"{there} is outside the repository", where=place)
    if not context.is_dir():
        raise InvalidError(f"the build context {made.context} is not a folder", where=place)
    if made.inline is not None:
        return _File(context=context, text=made.inline, shown=f"{place}.dockerfile_inline")
    shown = os.path.normpath(f"{made.context}/{made.dockerfile}")
    if path.is_file():
        return _File(context=context, text=path.read_text(errors="replace"), shown=shown, path=path)
    if made.dockerfile != "Dockerfile":
        raise InvalidError(f"{shown} is not there", where=place)
    return _made(order, context, place, say)


def _made(order: Order, context: Path, place: str, say: Say) -> _File:
    """For a project without a Dockerfile, the one that fits it."""
    project = look(context, order.service, place)
    say(
        f"{order.service.name}: no Dockerfile, so it is built from {project.kind.value}"
        " (`gear eject` writes the Dockerfile that is used)"
    )
    caches = client().builder is not Builder.LEGACY
    return _File(
        context=context, text=dockerfile(project, caches=caches), shown="Dockerfile (made)"
    )


def _words(
    order: Order,
    file: _File,
    used: Client,
    folder: Path,
    say: Say,
    environ: Mapping[str, str],
    state: Path | None,
    place: str,
) -> list[str]:
    """The arguments of `docker`; files that they name are written into `folder`."""
    made = order.service.build
    assert made is not None  # noqa: S101  # _find has looked
    needed = bases.named(file.text, target=made.target, args=made.args)
    images = ensure(needed, say, environ=environ, state=state)
    buildkit = used.builder is not Builder.LEGACY
    words = [*build_words(used)]
    labels = {**order.labels, IMAGE: order.tag}
    words += [f"--tag={order.tag}", *(f"--label={k}={v}" for k, v in labels.items())]
    words += [f"--build-arg={name}={value}" for name, value in made.args.items()]
    words += [f"--build-arg={name}" for name in indexes.PROXIES if environ.get(name)]
    words += [f"--target={made.target}"] if made.target else []
    if buildkit:
        words.append("--progress=plain")

    packages = indexes.of_user(environ)
    mounts = []
    for number, (path, text) in enumerate(packages.files().items() if buildkit else ()):
        words.append(f"--secret=id=gear-index-{number},src={_private(folder, f'i{number}', text)}")
        mounts.append(f"type=secret,id=gear-index-{number},target={path}")
    proxies = (environ[name] for name in indexes.PROXIES[:2] + indexes.PROXIES[3:5]
               if environ.get(name))  # fmt: skip
    if made.network:  # asked for, and granted by the host's owner
        words.append(f"--network={made.network}")
    elif indexes.loopback((*packages.addresses, *proxies)):
        words.append("--network=host")  # what they name is on this machine
    words += _secrets(order, folder, environ, used, place)

    front = bases.frontend(file.text) if buildkit else ""
    keep = not front or _reachable(front, state, environ)
    if not keep:
        say(f"{order.service.name}: {front} is out of reach; the Dockerfile is read without it")
    text = bases.fitted(file.text, images=images, args=made.args, frontend=keep, mounts=mounts)
    (folder / "Dockerfile").write_text(text)
    if file.made and not (file.context / ".dockerignore").exists():
        (folder / "Dockerfile.dockerignore").write_text(IGNORED)
    ignored = file.path.with_name(f"{file.path.name}.dockerignore") if file.path else None
    if ignored is not None and ignored.is_file() and not ignored.is_symlink():
        (folder / "Dockerfile.dockerignore").write_bytes(ignored.read_bytes())
    return [*words, f"--file={folder / 'Dockerfile'}", "--", str(file.context)]


def _secrets(
    order: Order, folder: Path, environ: Mapping[str, str], used: Client, place: str
) -> list[str]:
    made = order.service.build
    given = made.secrets if made else ()
    if given and used.builder is Builder.LEGACY:
        raise GearError(
            "build secrets need BuildKit, and this machine's docker has none",
            where=f"{place}.secrets",
            remedy="apt-get install docker-buildx, or see docs.docker.com/go/buildx",
        )
    words = []
    for number, secret in enumerate(given):
        source = order.app.secrets.get(secret.source)
        if source is None:
            raise InvalidError(f"there is no secret '{secret.source}'", where=f"{place}.secrets")
        known = environ if order.values is None else order.values
        text = read_source(source, secret.source, order.source, known)
        words.append(f"--secret=id={secret.id},src={_private(folder, f's{number}', text)}")
    return words


def _private(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    return path


def _reachable(image: str, state: Path | None, environ: Mapping[str, str]) -> bool:
    folder = state_folder(environ) if state is None else state
    return Registries(folder / "registries.json").reaches(parse(image).registry)


def _run(
    used: Client,
    words: list[str],
    order: Order,
    file: _File,
    environ: Mapping[str, str],
    say: Say,
    guard: space.Guard | None,
) -> None:
    env = build_environment(used, environ)
    made = order.service.build
    told = Steps(order.service.name, made.args if made else {}, say)
    late = None
    try:
        done = follow(
            [used.program, *words],
            lambda line: told.heard(line, time.monotonic()),
            env=env,
            timeout=AT_MOST,
            enough=guard.full if guard else None,
        )
    except CommandError as error:
        done, late = error.done, AT_MOST
    if late is None and done.code == 0:
        return
    if guard is not None:
        guard.judge()
    docker("version", timeout=20)  # says it better when no daemon answers
    found = failure.read(done.out + done.err, file.text)
    raise failure.explain(found, service=order.service.name, shown=file.shown, seconds=late)


def _last_size(repository: str) -> int:
    """Bytes of the newest image of a repository; 0 when there is none."""
    ids = docker("image", "ls", "--quiet", "--no-trunc", "--", repository, check=False).out.split()
    if not ids:
        return 0
    words = ("image", "inspect", "--format", "{{.Size}}", ids[0])
    said = docker(*words, check=False).out.strip()
    return int(said) if said.isdecimal() else 0
