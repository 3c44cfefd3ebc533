"""From a recipe to an image in Docker. The same recipe is built once."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from geartrain.engine.docker import imagery
from geartrain.engine.docker.builds import failure
from geartrain.engine.docker.client import build_environment, build_words, client, docker
from geartrain.engine.docker.images import base, wheels
from geartrain.engine.docker.images.recipe import Recipe
from geartrain.engine.protocol import Say
from geartrain.errors import Exit, GearError
from geartrain.run import CommandError, run

TIMEOUT = 1800.0  # seconds
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


def make(recipe: Recipe, environ: Mapping[str, str], say: Say, *, fresh: bool = False) -> str:
    """The local name of a recipe's image; built first if it is not there as it should be.

    Args:
        recipe: what to make.
        environ: this process's environment; its proxies are used, and not kept in the image.
        say: told when it takes time.
        fresh: make it anew from the newest packages.

    Raises:
        GearError: it cannot be made here.
    """
    wanted = content(recipe, environ)
    if not fresh and base.content_of(recipe.name) == wanted:
        return recipe.name
    under = base.ensure(recipe.suite, environ, say, fresh=fresh)
    before = _id_of(recipe.name)
    say(f"making {recipe.name} ({recipe.shown})")
    with tempfile.TemporaryDirectory(prefix="gear-image-") as folder:
        context = Path(folder)
        _write(recipe, context)
        for name, (requirement, below) in recipe.wheels.items():
            wheels.unpack(requirement, below, context / name, environ)
        _build(recipe, under.image, wanted, context, environ)
    if before and before != _id_of(recipe.name):
        docker("image", "rm", before, check=False)  # stays as long as a container uses it
    return recipe.name


def content(recipe: Recipe, environ: Mapping[str, str]) -> str:
    """Names what is in the image that a recipe makes."""
    return recipe.digest(base.content(recipe.suite, environ), *_versions(recipe))


def _id_of(image: str) -> str:
    found = imagery.find(image)
    return found.id if found else ""


def _write(recipe: Recipe, context: Path) -> None:
    (context / "Dockerfile").write_text(recipe.dockerfile)
    for name, (mode, text) in recipe.files.items():
        path = context / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
    for name, (package, below) in recipe.programs.items():
        path = context / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_program(package, below), path)
        path.chmod(0o755)


def _build(
    recipe: Recipe, under: str, wanted: str, context: Path, environ: Mapping[str, str]
) -> None:
    used = client()
    labels = {
        base.IMAGE: recipe.name,
        "geartrain.kind": "stand-in",
        "geartrain.stands-for": recipe.stands_for,
        "geartrain.gives": recipe.shown,
        base.CONTENT: wanted,
    }
    words = [*build_words(used), "--network=host", f"--tag={recipe.name}"]
    words += [f"--build-arg=BASE={under}"]
    words += [f"--build-arg={name}" for name in PROXIES if environ.get(name)]
    words += [f"--label={key}={value}" for key, value in labels.items()]
    env = build_environment(used, environ)
    try:
        run([used.program, *words, "--", str(context)], env=env, timeout=TIMEOUT)
    except CommandError as error:
        docker("version", timeout=20)  # says it better when no daemon answers
        said = failure.read(error.done.out + error.done.err, recipe.dockerfile)
        raise GearError(
            f"{recipe.name} could not be made: {said.why}",
            tail=said.tail,
            remedy="check that this machine reaches a mirror (apt's sources, http_proxy)",
        ) from error


def _program(package: str, below: str) -> Path:
    spec = importlib.util.find_spec(package)
    path = Path(spec.origin).parent / below if spec and spec.origin else None
    if path is None or not path.is_file():
        wheel = package.replace("_", "-")
        raise GearError(
            f"{wheel} is not installed; its program goes into the image",
            remedy=f"pip install {wheel}",
            code=Exit.MISSING,
        )
    return path


def _versions(recipe: Recipe) -> list[str]:
    """Of the packages whose programs go in: another version is another image."""
    found = []
    for package, below in recipe.programs.values():
        size = _program(package, below).stat().st_size
        folder = _program(package, below).parents[below.count("/") + 1]
        infos = sorted(path.name for path in folder.glob(f"{package}-*.dist-info"))
        found.append(f"{package} {' '.join(infos)} {size}")
    return found
