"""Programs that come from the package index, fetched on the machine with its own settings."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from geartrain.engine.docker.builds import indexes
from geartrain.errors import Exit, GearError
from geartrain.run import CommandError, run

TIMEOUT = 1800.0  # seconds


def unpack(requirement: str, below: str, target: Path, environ: Mapping[str, str]) -> None:
    """Put a folder of a wheel somewhere.

    Args:
        requirement: the package and its version.
        below: the folder in the wheel.
        target: where it goes; not there yet.
        environ: this process's environment: proxies, indexes, authorities.

    Raises:
        GearError: uv is not there, or the index does not give the wheel.
    """
    folder = str(Path(sys.executable).parent)
    uv = shutil.which("uv", path=folder) or shutil.which("uv", path=environ.get("PATH"))
    if uv is None:
        raise GearError(
            f"uv is not there; it fetches {requirement}",
            remedy="pip install uv",
            code=Exit.MISSING,
        )
    settings = indexes.of_user(environ).files().get(indexes.UV_FILE, "")
    with tempfile.TemporaryDirectory(prefix="gear-wheel-") as place:
        config = Path(place) / "uv.toml"
        config.write_text(settings)  # in a folder that is this user's alone
        words = [
            uv, "pip", "install", "--quiet", f"--config-file={config}",
            f"--python={sys.executable}", f"--target={place}/wheel",
            "--no-deps", "--only-binary=:all:", "--", requirement,
        ]  # fmt: skip
        certificates = {"UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1"}  # the older name too
        try:
            run(words, env={**certificates, **environ}, timeout=TIMEOUT)
        except CommandError as error:
            raise GearError(
                f"{requirement} could not be fetched",
                tail=error.tail,
                remedy="check the network, the proxy (HTTPS_PROXY) and the index",
            ) from error
        shutil.move(Path(place) / "wheel" / below, target)
