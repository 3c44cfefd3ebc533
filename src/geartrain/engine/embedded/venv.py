"""Virtual environments, made by `uv` and shared by all releases that need the same packages.

An environment's folder is named by what decides its contents. It is complete
when its marker, written last, is there; an incomplete one is made anew, under
a lock, so that neither a crash nor two builds at once leave a broken one. Who
uses it is noted in it: an app that has run for long must not lose it to another's
release.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from geartrain import durable
from geartrain.engine.embedded.interpreter import Interpreter
from geartrain.engine.embedded.sources import Source
from geartrain.errors import GearError, Problem
from geartrain.run import CommandError, run

MARKER = "geartrain-complete"
USERS = "geartrain-users"  # links to the checkouts of releases that run from it
FORMAT = "1"  # part of every key: raise it when environments are made differently
TIMEOUT = 1800.0  # seconds; large packages on slow lines

# settings of the user's shell that would lead uv elsewhere
_DROPPED = ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "UV_PYTHON", "UV_PROJECT")
# pip's settings, and the names by which uv knows them
_FROM_PIP = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_TRUSTED_HOST": "UV_INSECURE_HOST",
    "PIP_CERT": "SSL_CERT_FILE",
    "PIP_DEFAULT_TIMEOUT": "UV_HTTP_TIMEOUT",
}


def key(source: Source, interpreter: Interpreter) -> str:
    """The name of the environment: equal when its contents would be."""
    parts = (
        FORMAT,
        str(interpreter.path),
        interpreter.version,
        str(source.sync),
        str(source.seed),
        source.digest,
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def ensure(
    source: Source,
    interpreter: Interpreter,
    *,
    envs: Path,
    uv: Path,
    environ: Mapping[str, str],
    report: Callable[[str], None],
    where: str,
    user: Path,
) -> Path:
    """The folder of a complete environment; made first if it is not there.

    Args:
        source: what is in it.
        interpreter: its Python.
        envs: where environments are.
        uv: the uv program.
        environ: this process's environment.
        report: told in one line what takes time.
        where: the service, for messages.
        user: the checkout that runs from it: while that is there, `sweep` leaves it alone.

    Raises:
        GearError: uv failed, with its own last words.
    """
    folder = envs / key(source, interpreter)
    envs.mkdir(parents=True, exist_ok=True)
    with _alone(envs / f"{folder.name}.lock", report, where) as held:
        if not _complete(folder):
            shutil.rmtree(folder, ignore_errors=True)
            try:
                env = uv_environment(environ)
                _make(folder, source, interpreter, uv, env, report, where, held)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            durable.sync_system(folder)  # a marker that outlives a power cut is to be right
            durable.write(folder / MARKER, f"{source.label}\n")
        _note(folder, user)
        os.utime(folder / MARKER)  # for `sweep`
    return folder


def sweep(envs: Path, *, unused: float) -> tuple[Path, ...]:
    """Remove environments that nothing has asked for since `unused` seconds; returns them.

    Those of a checkout that is still there stay, whichever app's it is.
    """
    gone = []
    for folder in sorted(path.parent for path in envs.glob(f"*/{MARKER}")):
        if not _superfluous(folder, unused):
            continue
        with _alone(envs / f"{folder.name}.lock", lambda _: None, ""):
            if _superfluous(folder, unused):  # nobody has asked for it meanwhile
                # First: what is half removed is not complete.
                (folder / MARKER).unlink(missing_ok=True)
                shutil.rmtree(folder, ignore_errors=True)
                gone.append(folder)
    return tuple(gone)


def _superfluous(folder: Path, unused: float) -> bool:
    try:
        age = time.time() - (folder / MARKER).stat().st_mtime
    except FileNotFoundError:
        return False  # another command's sweep was quicker
    return age > unused and not any(link.exists() for link in (folder / USERS).glob("*"))


def _note(folder: Path, user: Path) -> None:
    """Note who uses an environment, and forget who is gone."""
    users = folder / USERS
    users.mkdir(exist_ok=True)
    for link in users.iterdir():
        if not link.exists():
            link.unlink()
    mine = users / hashlib.sha256(os.fsencode(user)).hexdigest()[:16]
    if not mine.is_symlink():
        mine.symlink_to(user)


def uv_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for uv: the user's certificates, proxies and indexes, pip's included."""
    env = {name: value for name, value in environ.items() if name not in _DROPPED}
    for theirs, ours in _FROM_PIP.items():
        if env.get(theirs):
            env.setdefault(ours, env[theirs])
    env |= {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
    for name in ("UV_SYSTEM_CERTS", "UV_NATIVE_TLS"):  # a company's own authority; the older name
        env.setdefault(name, "1")
    env.setdefault("UV_COMPILE_BYTECODE", "1")
    return env


def _complete(folder: Path) -> bool:
    # a removed interpreter leaves a dangling link
    return (folder / MARKER).is_file() and (folder / "bin/python").exists()


@contextmanager
def _alone(lock: Path, report: Callable[[str], None], where: str) -> Iterator[int]:
    import fcntl

    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(f"{where}: waiting for another build of the same packages")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def _make(
    folder: Path,
    source: Source,
    interpreter: Interpreter,
    uv: Path,
    env: dict[str, str],
    report: Callable[[str], None],
    where: str,
    held: int,
) -> None:
    if not source.empty:
        report(f"{where}: installing the packages of {source.label}")
    python = str(interpreter.path)

    def step(*words: str) -> None:
        try:
            # Should this process be killed, nobody works in the folder while uv still does.
            run([uv, *words], env=env, cwd=source.folder, timeout=TIMEOUT, held=[held])
        except CommandError as error:
            raise failed(error, source.label, interpreter, where) from error

    seed = ["--seed"] if source.seed else []
    step("venv", "--quiet", "--python", python, *seed, str(folder))
    if source.sync is not None:
        env = env | {"UV_PROJECT_ENVIRONMENT": str(folder)}
        frozen = ("--frozen", "--no-dev", "--no-install-local", "--python", python)
        step("sync", *frozen, *source.sync)
    elif not source.empty:
        step("pip", "install", *_install(folder, source))


def _install(folder: Path, source: Source) -> list[str]:
    """Arguments of `uv pip install`; what an author wrote comes after `--` or from a file."""
    words = ["--python", str(folder / "bin/python"), *source.arguments]
    for option, name, text in (("-r", "more.txt", source.text), ("-c", "pins.txt", source.pins)):
        if text:
            (folder / name).write_text(text)
            words += [option, str(folder / name)]
    return [*words, "--", *source.words] if source.words else words


def failed(error: CommandError, label: str, interpreter: Interpreter, where: str) -> GearError:
    """uv's failure in words that say what to do."""
    said = error.done.err.rstrip() or str(error)  # one that was killed said nothing
    return GearError(
        f"uv could not install the packages of {label}",
        where=where,
        tail=said.splitlines()[-30:],
        remedy=_remedy(said, label, interpreter),
        problems=[Problem(what=interpreter.notice)] if interpreter.notice else (),
    )


def _remedy(said: str, label: str, interpreter: Interpreter) -> str:
    text = " ".join(said.split())
    if "Python requirement" in text or "requires-python" in text or "Requires-Python" in text:
        wanted = interpreter.wanted or "the asked-for version"
        return f"install Python {wanted} on this machine (for one, `uv python install {wanted}`)"
    if "Failed to fetch" in text or "error sending request" in text or "dns error" in text:
        return "check the network, the proxy (HTTPS_PROXY) and the index (UV_DEFAULT_INDEX)"
    if "Failed to build" in text or "build backend" in text:
        return "a package must be compiled: install what it asks for, or pin a version with a wheel"
    if "No space left" in text:
        return "make room on the disk, then try again"
    if label.endswith(".lock"):
        return f"make {label} anew and commit it"
    return f"correct {label}"
