"""What must not leave the repository: build contexts, Dockerfiles, bind mounts, files.

A pushed commit decides these paths, and a symbolic link is as good as `..`.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from geartrain.app.finding import Finding, KeyPath, shown_value
from geartrain.app.model import App, MountKind, Service

_REMEDY = "keep it inside the repository"
NAME_MAX, PATH_MAX = 255, 3000  # bytes; what limits.h says, less what stands before it


def outside(app: App, root: Path) -> list[Finding]:
    """Every build and mount of an app that leaves its project folder.

    Args:
        app: the decoded app.
        root: the project folder, without symbolic links in it.
    """
    found: list[Finding] = []
    for service in app.services.values():
        found += _build(service, root)
        for prefix, folder in service.gear.static.items():
            path = ("services", service.name, "x-gear", "static", prefix)
            found += leaves(folder, root, "the static folder", path)
        for mount in service.mounts:
            if mount.kind is not MountKind.BIND:
                continue
            # An absolute path is for the host's owner to judge (`Service.asks`).
            if not mount.source.startswith("/"):
                at = ("services", service.name, "volumes", mount.target)
                found += leaves(mount.source, root, "the mounted folder", at)
    for kind, given in (("secrets", app.secrets), ("configs", app.configs)):
        for name, source in given.items():
            if source.file is not None and not source.file.startswith("/"):
                found += leaves(source.file, root, "the file", (kind, name, "file"))
    return found


def _build(service: Service, root: Path) -> list[Finding]:
    build = service.build
    if build is None:
        return []
    at = ("services", service.name, "build")
    if "://" in build.context or build.context.startswith(("git@", "github.com/")):
        what = f"the build context {shown_value(build.context)} is not in this repository"
        return [Finding(at, what, "build from a folder of the repository, or use `image:`")]
    found = leaves(build.context, root, "the build context", at)
    if found or build.inline is not None:
        return found
    path = str(PurePosixPath(build.context) / build.dockerfile)
    return leaves(path, root, "the Dockerfile", at)


def leaves(path: str, root: Path, what: str, at: KeyPath) -> list[Finding]:
    """One finding when a path leaves the folder, by its words or through a link."""
    if "\0" in path:
        return [Finding(at, f"{shown_value(path)} is not a path")]
    raw = os.fsencode(path)
    if len(raw) > PATH_MAX or any(len(name) > NAME_MAX for name in raw.split(b"/")):
        return [Finding(at, f"{shown_value(path)} is longer than a path can be")]
    lexical = Path(os.path.normpath(root / path))
    near = lexical.is_relative_to(root.parent) and root.parent != root.parent.parent
    shown = shown_value(os.path.relpath(lexical, root) if near else str(lexical))
    if not lexical.is_relative_to(root):
        return [Finding(at, f"{what} {shown} is outside the repository", _REMEDY)]
    real = Path(os.path.realpath(lexical))
    if not real.is_relative_to(root):
        said = f"{what} {shown} leaves the repository through a symbolic link (to {real})"
        return [Finding(at, said, _REMEDY)]
    return []
