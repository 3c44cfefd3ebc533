"""The Dockerfiles that the services' builds name."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from geartrain.app.finding import Finding, shown_value
from geartrain.app.model import App, Image, Service
from geartrain.errors import InvalidError
from geartrain.load import dockerfile, sources

# A folder with one of these can be run without a Dockerfile.
PYTHON_FILES = ("pyproject.toml", "requirements.txt", "uv.lock", "Pipfile", "setup.py")


def with_images(app: App, root: Path) -> tuple[App, list[Finding]]:
    """Fill in `Service.built` from the Dockerfiles.

    Args:
        app: the decoded app, whose paths lie inside the project folder.
        root: the project folder.
    """
    findings: list[Finding] = []
    services = {
        name: replace(service, built=_image(service, root, findings))
        for name, service in app.services.items()
    }
    return replace(app, services=services), findings


def _image(service: Service, root: Path, findings: list[Finding]) -> Image:
    build = service.build
    if build is None:
        return Image()
    at = ("services", service.name, "build")
    text, shown = build.inline, "dockerfile_inline"
    if text is None:
        context = root / build.context
        if not context.is_dir():
            what = f"the build context {shown_value(build.context)} is not a folder"
            findings.append(Finding(at, what, "name the folder with the Dockerfile"))
            return Image()
        path = context / build.dockerfile
        shown = _shown(path, root)
        if not path.is_file():
            _missing(service, context, shown, findings)
            return Image()
        try:
            text = sources.read(path, shown)
        except InvalidError as error:
            findings.append(Finding(at, f"{shown}: {error.what}", error.remedy))
            return Image()
    try:
        return dockerfile.read(text, target=build.target, args=build.args)
    except LookupError as error:
        findings.append(Finding(at, f"{shown}: {error.args[0]}"))
        return Image()


def _missing(service: Service, context: Path, shown: str, findings: list[Finding]) -> None:
    python = any((context / name).is_file() for name in PYTHON_FILES)
    default = service.build is None or service.build.dockerfile == "Dockerfile"
    if default and (python or service.gear.embedded):
        return
    at = ("services", service.name, "build")
    what = f"no Dockerfile: looked for {shown}"
    if default:
        what += f", and for a Python project ({', '.join(PYTHON_FILES)})"
    findings.append(Finding(at, what, "write one, or name it with `build.dockerfile`"))


def _shown(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
