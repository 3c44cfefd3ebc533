"""A `redis.conf` of the app's own: what it sets becomes part of the service's command.

Redis reads `redis-server FILE --name value` the same way: the words after the file win
(redis.io, "Redis configuration").
"""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from geartrain.app.model import App, MountKind, Role, Service

TAKEN = ("maxmemory", "maxmemory-policy", "appendonly", "save", "requirepass")
"""What has an effect; the rest (addresses, files, users) is Geartrain's own business."""

MAX_BYTES = 1_000_000


def with_redis_conf(app: App, root: Path) -> tuple[App, tuple[str, ...]]:
    """Read the configuration that each cache service's command names, where it is mounted.

    Args:
        app: its roles are known, and its mounts lie inside `root`.
        root: the project's folder.

    Returns:
        The app, and what a reader should know about lines that have no effect.
    """
    services, notices = dict(app.services), []
    for service in app.of_role(Role.CACHE):
        words: list[str] = []
        for word in service.command or ():
            text = _mounted(service, word, root)
            if text is None:
                words.append(word)
                continue
            settings = _settings(text)
            words += [w for n, v in settings if n in TAKEN and v for w in (f"--{n}", v)]
            if left := sorted({name for name, _ in settings} - set(TAKEN)):
                notices.append(
                    f"{service.name}: {word} sets {', '.join(left)}, without effect here"
                )
        if service.command is not None:
            services[service.name] = replace(service, command=tuple(words))
    return replace(app, services=services), tuple(notices)


def _mounted(service: Service, word: str, root: Path) -> str | None:
    """The text of the file that is mounted where a word of the command points to."""
    for mount in service.mounts:
        if mount.kind is not MountKind.BIND or not word.startswith("/"):
            continue
        home = mount.target.rstrip("/")
        if word != home and not word.startswith(f"{home}/"):
            continue
        path = root / mount.source / word.removeprefix(home).lstrip("/")
        inside = path.resolve().is_relative_to(root.resolve())
        if inside and path.is_file() and path.stat().st_size <= MAX_BYTES:
            return path.read_text(errors="replace")
    return None


def _settings(text: str) -> list[tuple[str, str]]:
    """Names and values; of a value with several words the first."""
    found = []
    for line in text.splitlines():
        name, _, value = line.strip().partition(" ")
        if name and not name.startswith("#"):
            words = value.split()
            found.append((name.lower(), words[0].strip("\"'") if words else ""))
    return found
