"""The bare system that all stand-ins are built upon, made by mmdebstrap.

Its packages are verified by the distribution's keys (apt-secure(8)). Debian's are on the machine;
Ubuntu's come from a package of Debian 13, which Debian's keys verify.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from geartrain.engine.docker import imagery
from geartrain.engine.docker.client import daemon, docker
from geartrain.engine.docker.images import certificates, mirrors
from geartrain.engine.docker.images.suites import TRIXIE, Suite
from geartrain.engine.protocol import Say
from geartrain.errors import Exit, GearError
from geartrain.run import CommandError, run

FORMAT = "2"
TIMEOUT = 1800.0  # seconds; on a slow line
CONTENT = "geartrain.content"
IMAGE = "geartrain.image"
"""An image's own name: what is built upon it inherits the label, and has another name."""
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
DEBIAN_KEYS = "debian-archive-keyring.gpg"
UBUNTU_KEYS = "ubuntu-archive-keyring.gpg"

# What keeps an image small and quiet; the official ones do without the same things.
_APT = """\
APT::Keep-Downloaded-Packages "false";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
Acquire::Retries "3";
"""
_NO_SERVICES = "#!/bin/sh\n# Installing a package starts nothing here (policy-rc.d(8)).\nexit 101\n"
_LEFT_OUT = ("/usr/share/man/*", "/usr/share/info/*", "/usr/share/doc/*", "/usr/share/locale/*",
             "/usr/share/lintian/*")  # fmt: skip
_MERGED = Path("/usr/share/mmdebstrap/hooks/maybe-merged-usr")
_TIDY = 'rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin "$1"/var/cache/apt/archives/*.deb'
_KEPT = ("/usr/share/doc/*/copyright", "/usr/share/locale/locale.alias")


class OutOfReachError(GearError):
    """A distribution's packages cannot be had; another one's may."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """A bare system as an image. `content` names what is in it."""

    image: str
    content: str


def ensure(suite: Suite, environ: Mapping[str, str], say: Say, *, fresh: bool = False) -> Base:
    """The image of a bare system; made first if it is not there.

    Args:
        suite: the distribution's release.
        environ: this process's environment.
        say: told when it takes time.
        fresh: make it anew, with all corrections since.

    Raises:
        GearError: mmdebstrap is not there or failed.
    """
    wanted = content(suite, environ)
    name = f"geartrain/base:{suite.name}"
    if not fresh and content_of(name) == wanted:
        return Base(image=name, content=wanted)
    check_tools()
    say(f"making a base image of {suite.title} (once)")
    with tempfile.TemporaryDirectory(prefix="gear-base-") as folder:
        Path(folder).chmod(0o755)  # apt reads the keys as a user of its own
        _make(suite, name, wanted, certificates.of_machine(environ), Path(folder))
    return Base(image=name, content=wanted)


def check_tools() -> None:
    """Refuse where what makes base images is missing."""
    root = os.geteuid() == 0
    sudo = "" if root else "sudo "
    if shutil.which("mmdebstrap") is None:
        raise GearError(
            "mmdebstrap is not there; it makes base images from a distribution's packages",
            remedy=f"{sudo}apt-get install mmdebstrap" + ("" if root else " uidmap"),
            code=Exit.MISSING,
        )
    if not root and shutil.which("newuidmap") is None:
        raise GearError(
            "mmdebstrap needs uidmap when it is not run by root",
            remedy="sudo apt-get install uidmap, or make the images once as root:"
            " sudo gear images build NAME",
            code=Exit.MISSING,
        )


def content(suite: Suite, environ: Mapping[str, str]) -> str:
    """Names what is in a bare system: equal when the image would be, but for corrections."""
    authorities = certificates.of_machine(environ)
    parts = [
        FORMAT,
        suite.name,
        *suite.include,
        _APT,
        _TIDY,
        _NO_SERVICES,
        *_LEFT_OUT,
        *authorities,
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def content_of(image: str) -> str:
    """What an image's label says is in it; "" when there is no such image."""
    found = imagery.find(image)
    return found.labels.get(CONTENT, "") if found else ""


def _make(
    suite: Suite, name: str, content: str, authorities: tuple[str, ...], folder: Path
) -> None:
    arch = daemon().arch
    known = mirrors.of_machine()
    lines = mirrors.sources(suite, arch, known, _keyring(suite, folder))
    _overlay(folder / "overlay", suite, arch, known, authorities)
    tar = folder / "system.tar"
    words = [
        "mmdebstrap", "--variant=minbase", f"--architectures={arch}",
        f"--include={','.join(('apt', 'ca-certificates', *suite.include))}",
        "--skip=cleanup/apt", '--aptopt=Acquire::Retries "3"',
        *(f"--dpkgopt=path-exclude={path}" for path in _LEFT_OUT),
        *(f"--dpkgopt=path-include={path}" for path in _KEPT),
        *([f"--hook-dir={_MERGED}"] if suite.include and _MERGED.is_dir() else []),
        f"--customize-hook=sync-in {folder / 'overlay'} /",
        '--customize-hook=chroot "$1" update-ca-certificates',
        f"--customize-hook={_TIDY}",
        suite.name, str(tar), *lines,
    ]  # fmt: skip
    _mmdebstrap(words, suite)
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    labels = (
        f'geartrain.kind=base {IMAGE}={name} {CONTENT}={content} geartrain.gives="{suite.title}"'
    )
    changes = [
        f"ENV PATH={path}",
        f"LABEL {labels}",
        'CMD ["bash"]',
    ]
    if authorities:
        trusted = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
        changes.append("ENV " + " ".join(f"{variable}={BUNDLE}" for variable in trusted))
    docker("import", *(w for c in changes for w in ("--change", c)), tar, name, timeout=TIMEOUT)


def _mmdebstrap(words: list[str], suite: Suite) -> None:
    environ = {**os.environ, "LC_ALL": "C.UTF-8"}
    try:
        run(words, env=environ, timeout=TIMEOUT)
    except CommandError as error:
        raise OutOfReachError(
            f"the packages of {suite.title} could not be installed",
            tail=(error.done.err or error.done.out).splitlines()[-30:],
            remedy="check that this machine reaches a mirror (apt's sources, http_proxy)",
        ) from error


def _overlay(
    root: Path,
    suite: Suite,
    arch: str,
    known: Mapping[str, str],
    authorities: tuple[str, ...],
) -> None:
    """The files that go over the bare system."""
    keyring = mirrors.KEYRINGS / (UBUNTU_KEYS if suite.ubuntu else DEBIAN_KEYS)
    plain = {name: mirrors.without_login(uri) for name, uri in known.items()}
    files = {
        "etc/apt/apt.conf.d/90-image": (0o644, _APT),
        "etc/apt/sources.list": (
            0o644, "\n".join(mirrors.sources(suite, arch, plain, keyring)) + "\n"
        ),
        "usr/sbin/policy-rc.d": (0o755, _NO_SERVICES),
    }  # fmt: skip
    for number, block in enumerate(authorities):
        files[f"usr/local/share/ca-certificates/machine-{number}.crt"] = (0o644, f"{block}\n")
    for name, (mode, text) in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
    for path in root.rglob("*"):
        if path.is_dir():
            path.chmod(0o755)


def _keyring(suite: Suite, folder: Path) -> Path:
    """The distribution's keys, on this machine or out of its package."""
    name = UBUNTU_KEYS if suite.ubuntu else DEBIAN_KEYS
    here = mirrors.KEYRINGS / name
    if here.is_file():
        return here
    if not suite.ubuntu:
        sudo = "" if os.geteuid() == 0 else "sudo "
        raise GearError(
            "Debian's keys are not on this machine",
            remedy=f"{sudo}apt-get install debian-archive-keyring",
            code=Exit.MISSING,
        )
    keys = mirrors.sources(TRIXIE, daemon().arch, mirrors.of_machine(), _keyring(TRIXIE, folder))
    target = folder / "keys"
    words = ["mmdebstrap", "--variant=extract", "--include=ubuntu-keyring", TRIXIE.name]
    _mmdebstrap([*words, str(target), *keys], TRIXIE)
    return target / here.relative_to("/")
