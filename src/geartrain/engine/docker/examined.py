"""Which docker client builds, kept while no file changes that decides it.

To ask them takes a process or two for each client, as long as a small build takes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from geartrain import durable

# Where a client looks for plugins, besides its own folder of settings (docs.docker.com).
_PLUGINS = tuple(
    Path(f"/usr/{kind}/docker/cli-plugins")
    for kind in ("local/lib", "local/libexec", "lib", "libexec")
)
_PLUGIN = "docker-buildx"


class Found(Struct, frozen=True, kw_only=True):
    """What was found, and the state of the files that it was found in."""

    state: tuple[str, ...]
    program: str
    builder: str


def state(programs: Sequence[str], environ: Mapping[str, str]) -> tuple[str, ...]:
    """All that decides what the clients can do; empty when it cannot be told.

    Args:
        programs: the clients, in their order.
        environ: their environment.
    """
    settings = _settings(environ)
    config = settings / "config.json"
    with contextlib.suppress(OSError):
        if "cliPluginsExtraDirs" in config.read_text(errors="replace"):
            return ()
    folders = (settings / "cli-plugins", *_PLUGINS)
    files = [config, *(folder / _PLUGIN for folder in folders)]
    return tuple(_look(path) for path in [*map(Path, programs), *files])


def recall(now: tuple[str, ...], environ: Mapping[str, str]) -> Found | None:
    """What was found in this state, or None."""
    try:
        kept = msgspec.json.decode(_file(environ).read_bytes(), type=Found)
    except (OSError, msgspec.MsgspecError):
        return None
    return kept if now and kept.state == now else None


def keep(found: Found, environ: Mapping[str, str]) -> None:
    """Keep it, where that is possible."""
    if not found.state:
        return
    path = _file(environ)
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        durable.write(path, msgspec.json.encode(found), 0o600)


def _look(path: Path) -> str:
    try:
        seen = path.stat()
    except OSError:
        return f"{path} -"
    return f"{path} {seen.st_ino} {seen.st_size} {seen.st_mtime_ns}"


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("HOME") or Path.home())


def _settings(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("DOCKER_CONFIG") or _home(environ) / ".docker")


def _file(environ: Mapping[str, str]) -> Path:
    # XDG Base Directory Specification: a relative path there is to be ignored.
    cache = Path(environ.get("XDG_CACHE_HOME", ""))
    folder = cache if cache.is_absolute() else _home(environ) / ".cache"
    return folder / "geartrain" / "docker-client.json"
