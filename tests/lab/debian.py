"""Images of bare systems for the tests: made with mmdebstrap, kept in Docker."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from geartrain.engine.docker.client import daemon
from geartrain.engine.docker.images import base, mirrors
from geartrain.engine.docker.images.suites import SUITES
from tests.dockerd import docker

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def image(
    name: str, packages: Sequence[str], set_up: Sequence[str], folder: Path, suite: str = "bookworm"
) -> str:
    """The image's name with a tag that stands for its content; made when it is not there.

    Args:
        name: what it is called.
        packages: besides the smallest system there is.
        set_up: commands that are run in it, each one word for a shell.
        folder: room for a while.
        suite: Debian's release, or Ubuntu's.
    """
    certificates = CERTIFICATES.read_bytes() if CERTIFICATES.exists() else b""
    content = "\n".join([suite, *packages, *set_up]).encode() + certificates
    full = f"{name}:{suite}-{hashlib.sha256(content).hexdigest()[:12]}"
    if docker("images", "--quiet", full):
        return full
    os_tree = folder / "debian.tar"
    hooks = [f'--customize-hook=chroot "$1" {one}' for one in set_up]
    hooks += _own_sources(suite, folder)
    if certificates:  # a company's own authority, put where its machines have it
        hooks.append(f"--customize-hook=copy-in {CERTIFICATES} {CERTIFICATES.parent}")
    include = f"--include={','.join(packages)}"
    with tempfile.TemporaryDirectory(prefix="gear-keys-") as keys:
        Path(keys).chmod(0o755)  # apt reads them as a user of its own
        # Of Debian mmdebstrap knows where it is.
        lines = sources(suite, Path(keys)) if SUITES[suite].ubuntu else []
        done = subprocess.run(
            ["mmdebstrap", "--variant=minbase", include, *hooks, suite, os_tree, *lines],
            capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    docker("import", os_tree, full)
    os_tree.unlink()
    return full


def sources(suite: str, folder: Path) -> list[str]:
    """Lines for apt, with the keys of this machine or out of their package.

    Args:
        suite: Debian's release, or Ubuntu's.
        folder: room for keys.
    """
    return _lines(suite, base._keyring(SUITES[suite], folder))


def _own_sources(suite: str, folder: Path) -> list[str]:
    """What gives Ubuntu the same lines by its own keys; those it is made with are gone then."""
    if not SUITES[suite].ubuntu:
        return []
    file = folder / "sources.list"
    lines = _lines(suite, mirrors.KEYRINGS / base.UBUNTU_KEYS)
    file.write_text("".join(f"{line}\n" for line in lines))
    return [f"--customize-hook=upload {file} /etc/apt/sources.list"]


def _lines(suite: str, keyring: Path) -> list[str]:
    return mirrors.sources(SUITES[suite], daemon().arch, mirrors.of_machine(), keyring)
