"""Mounts, secrets and configs of a service, and where their text comes from."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from geartrain.app.finding import Finding, shown_value
from geartrain.app.model import Grant, Mount, MountKind, Source
from geartrain.app.reader import Reader

# Files of the machine's clock: every instance has its own copy, so they may be left out.
CLOCK_FILES = ("/etc/localtime", "/etc/timezone")


def relative(path: str, project: str) -> str:
    """Write a path inside the project folder relative to it; others stay absolute.

    This compares words only. Symbolic links are `geartrain.load.inside`'s matter.
    """
    pure = PurePosixPath(path)
    if ".." in pure.parts or not pure.is_relative_to(project):
        return path
    return str(pure.relative_to(project))


def mounts(service: Reader, project: str) -> tuple[Mount, ...]:
    """Decode `volumes` and `tmpfs`."""
    found = [_mount(entry, project) for entry in service.entries("volumes")]
    for item in service.words("tmpfs") or ():
        target, _, _ = item.partition(":")
        found.append(Mount(kind=MountKind.TMPFS, target=target))
    return tuple(mount for mount in found if mount is not None)


def _mount(entry: Reader, project: str) -> Mount | None:
    kind, target = entry.text("type"), entry.text("target") or ""
    if kind not in tuple(MountKind):
        entry.wrong(("type",), kind, "is not supported", "use bind, volume or tmpfs")
        return None
    if not target.startswith("/") or any(ord(c) < 32 for c in target):
        hint = "a volume's name has two letters or more: Compose reads `v:/x` as a Windows path"
        entry.wrong(("target",), target, "must be an absolute path", hint)
        return None
    source = entry.text("source") or ""
    if kind == MountKind.BIND:
        if source in CLOCK_FILES and target in CLOCK_FILES:
            return None
        source = relative(source, project)
    return Mount(
        kind=MountKind(kind), target=target, source=source, read_only=entry.flag("read_only")
    )


def grants(service: Reader, key: str) -> tuple[Grant, ...]:
    """Decode the `secrets` or `configs` that a service is given."""
    found = []
    for entry in service.entries(key):
        source = entry.text("source") or ""
        default = f"/run/secrets/{source}" if key == "secrets" else f"/{source}"
        target = entry.text("target") or default
        if not target.startswith("/"):
            target = f"/run/secrets/{target}" if key == "secrets" else f"/{target}"
        found.append(Grant(source=source, target=target, mode=_mode(entry)))
    return tuple(found)


def _mode(entry: Reader) -> int:
    text = entry.text("mode")
    if text is None:
        return 0o444
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o777:
        entry.wrong(("mode",), text, 'must be a file mode such as "0440"')
        return 0o444
    return mode


def sources(config: Reader, key: str, project: str) -> dict[str, Source]:
    """Decode the top-level `secrets` or `configs`. No text is read here."""
    found = {}
    for name, entry in config.children(key):
        file, variable, content = (entry.text(k) for k in ("file", "environment", "content"))
        if entry.flag("external") and key == "secrets":
            # What is kept outside of the file has the name that it has there.
            variable, file, content = entry.text("name") or name, None, None
            if not variable.isidentifier() or not variable.isascii():
                what = f"{shown_value(variable)} cannot be the name of a secret kept elsewhere"
                remedy = f"give it one with `name: {_variable(variable)}`, or `environment:`"
                entry.findings.append(Finding(entry.path, what, remedy))
        if (file, variable, content) == (None, None, None) or (
            entry.flag("external") and key == "configs"
        ):
            what = f"this {key.removesuffix('s')} has no source that Geartrain can read"
            remedy = "give it a `file:` or an `environment:`"
            entry.findings.append(Finding(entry.path, what, remedy))
        elif file is not None:
            found[name] = Source(file=relative(file, project))
        else:
            found[name] = Source(environment=variable, content=content)
    return found


def _variable(text: str) -> str:
    """A name like it that a variable can have."""
    return re.sub(r"\W|^(?=\d)", "_", text, flags=re.ASCII).upper() or "NAME"


def of_the_machine(source: str, project: str) -> bool:
    """True for what is mounted from outside of the project folder, its clock aside."""
    return source not in CLOCK_FILES and relative(source, project).startswith("/")
