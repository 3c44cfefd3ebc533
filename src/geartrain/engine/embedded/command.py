"""The command that a service runs, from Compose, the Dockerfile, or the project itself."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from geartrain.app.model import Service
from geartrain.engine import starting

# small init programs and user switchers of images: the supervisor does their work
_WRAPPERS = frozenset({"tini", "tini-static", "dumb-init", "catatonit"})
_SWITCHERS = frozenset({"gosu", "su-exec", "setpriv"})
_RUNNERS = frozenset({"uv", "poetry", "pipenv", "pdm", "hatch", "rye"})
_RUNNER_FLAGS = (
    *("--no-sync", "--frozen", "--locked", "--no-dev", "--offline", "--no-cache"),
    *("--isolated", "--quiet", "-q", "-v", "--no-project"),
)
_RUNNER_LINE = re.compile(
    r"(^|[;&|(]\s*|\bexec\s+)(?:/\S+/)?(?:uv|poetry|pipenv|pdm) run (?:(?:"
    + "|".join(re.escape(flag) for flag in _RUNNER_FLAGS)
    + r") +)*(?:-- +)?(?=[\w./])"
)


def split(command: str | Sequence[str]) -> tuple[str, ...]:
    """A command of the Compose file's `x-gear`: a text is split as a shell would.

    A text that needs a shell (`a && b`) becomes `sh -c TEXT`.
    """
    if not isinstance(command, str):
        return tuple(command)
    if re.search(r"[;&|<>$`\n]", command):
        return ("/bin/sh", "-c", command)
    return tuple(shlex.split(command))


def declared(service: Service) -> tuple[str, ...]:
    """What Docker would run: ENTRYPOINT and CMD, each overridden by Compose's own.

    An `entrypoint` in the Compose file also clears the image's CMD.
    """
    image = service.built
    if service.entrypoint is not None:
        head, rest = service.entrypoint, service.command or ()
    else:
        head = image.entrypoint
        rest = image.command if service.command is None else service.command
    return tuple(word for word in head if word or len(head) > 1) + tuple(rest)


def unwrap(argv: Sequence[str]) -> tuple[str, ...]:
    """A command without what only an image needs around it: `tini --`, `gosu app`, `uv run`."""
    words = list(argv)
    while words:
        name = words[0].rpartition("/")[2]
        if name in _WRAPPERS:
            words = _past_options(words[1:])
        elif name in _SWITCHERS and len(words) > 2:
            words = _past_options(words[1:])[0 if name == "setpriv" else 1 :]
        elif name in _RUNNERS and words[1:2] == ["run"]:
            rest = words[2:]
            while rest and rest[0] in _RUNNER_FLAGS:
                rest = rest[1:]
            rest = rest[1:] if rest[:1] == ["--"] else rest
            if rest[:1] in (["-m"], ["--module"]):
                rest = ["python", "-m", *rest[1:]]
            elif rest and rest[0].startswith("-"):
                return tuple(words)  # an option that only the runner understands
            elif rest and rest[0].endswith(".py"):
                rest = ["python", *rest]
            words = rest
        else:
            break
    if len(words) > 2 and re.fullmatch(r"-[a-z]*c", words[1]):
        words[2] = _RUNNER_LINE.sub(r"\g<1>", words[2])
    return tuple(words) or tuple(argv)


def _past_options(words: list[str]) -> list[str]:
    while words and words[0].startswith("-"):
        if words[0] == "--":
            return words[1:]
        words = words[1:]
    return words


def detect(cwd: Path, env: Path | None) -> tuple[str, ...]:
    """The command of a usual Python layout; empty when there is none, or more than one."""
    if env is None:
        return ()
    return starting.detect(
        cwd, {name for name in starting.SERVERS if (env / "bin" / name).exists()}
    )
