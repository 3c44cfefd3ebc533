"""What somebody asks for over SSH: Git's two programs on an app, or a `gear` command."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from geartrain.errors import InvalidError
from geartrain.server.access.keys import Key, Role
from geartrain.server.app import check_name

LONGEST = 8192  # characters
GIT = {"git-receive-pack": Role.DEPLOY, "git-upload-pack": Role.READ}


@dataclass(frozen=True, kw_only=True, slots=True)
class GitRequest:
    """A push or a fetch: `program` is one of `GIT`."""

    program: str
    app: str

    @property
    def needed(self) -> Role:
        """The role that it takes."""
        return GIT[self.program]


@dataclass(frozen=True, kw_only=True, slots=True)
class GearRequest:
    """A `gear` command: its words."""

    words: tuple[str, ...]


def parse(text: str) -> GitRequest | GearRequest:
    """What a command line asks for. It is never handed to a shell.

    Args:
        text: `SSH_ORIGINAL_COMMAND`, as the client wrote it.

    Raises:
        InvalidError: it is neither Git's nor ours.
    """
    if len(text) > LONGEST:
        raise InvalidError(f"a command of {len(text)} characters; {LONGEST} are read")
    if not text.isprintable():
        raise InvalidError("the command has characters in it that cannot be printed")
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InvalidError(f"the command cannot be read: {error}") from error
    if words[:1] == ["git"] and len(words) > 1:
        words[:2] = [f"git-{words[1]}"]
    if not words:
        raise InvalidError(
            "there is no shell here",
            remedy="push with Git, or run `gear -H HOST COMMAND`",
        )
    program, *rest = words
    if program in GIT:
        if len(rest) != 1:
            raise InvalidError(f"{program} takes one word, the app")
        app = rest[0].strip("/").removesuffix(".git")
        check_name(app)
        return GitRequest(program=program, app=app)
    if program == "gear":
        return GearRequest(words=tuple(rest))
    raise InvalidError(
        f"{program[:40]!r} is not to be had here",
        remedy="push with Git, or run `gear -H HOST COMMAND`",
    )


def refuse(key: Key, needed: Role, app: str | None, what: str) -> None:
    """Refuse what a key may not do.

    Args:
        key: whose key it is.
        needed: the role that it takes.
        app: the app it is about; None for the whole host.
        what: what was asked for, in a few words.

    Raises:
        InvalidError: it may not.
    """
    if key.apps and app is None:
        raise InvalidError(
            f"{what} is about the whole host; {key.name}'s key is for {', '.join(key.apps)}",
            remedy="say which app with --app, or ask an admin of the host",
        )
    if app is not None and not key.reaches(app):
        raise InvalidError(
            f"{key.name}'s key is not for the app {app!r}",
            remedy="ask an admin of the host: gear keys add",
        )
    if not key.role.may(needed):
        raise InvalidError(
            f"{what} takes the role {needed}; {key.name}'s key has {key.role}",
            remedy="ask an admin of the host: gear keys add",
        )
