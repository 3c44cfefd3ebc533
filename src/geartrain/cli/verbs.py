"""What of `gear` can be asked for from elsewhere, and the role that it takes.

A command that is not here is not to be had over SSH, and no option or argument that names a path:
it would be the host's.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from geartrain.cli.main import COMMANDS, gear
from geartrain.errors import InvalidError
from geartrain.server.access.keys import Role

OPTION = "app_name"  # the parameter of --app


@dataclass(frozen=True, kw_only=True, slots=True)
class Verb:
    """A command that can be asked for.

    Args:
        role: what it takes.
        app: the parameter that names its app; "" when it is about the whole host.
        every: the flag that makes it about the whole host, for admins, or "".
        changes: the flag with which it changes the host, for admins, or "".
    """

    role: Role
    app: str = OPTION
    every: str = ""
    changes: str = ""


VERBS: Mapping[tuple[str, ...], Verb] = {
    ("ps",): Verb(role=Role.READ),
    ("logs",): Verb(role=Role.READ),
    ("releases",): Verb(role=Role.READ),
    ("show",): Verb(role=Role.READ),
    ("wait",): Verb(role=Role.READ),
    ("app", "list"): Verb(role=Role.READ, app=""),
    ("host", "key"): Verb(role=Role.READ, app="", changes="rotate"),
    ("status",): Verb(role=Role.READ, app=""),
    ("doctor",): Verb(role=Role.READ, app=""),
    ("exec",): Verb(role=Role.DEPLOY),
    ("run",): Verb(role=Role.DEPLOY),
    ("restart",): Verb(role=Role.DEPLOY),
    ("job", "run"): Verb(role=Role.DEPLOY),
    ("rollback",): Verb(role=Role.DEPLOY),
    ("scale",): Verb(role=Role.DEPLOY),
    ("converge",): Verb(role=Role.DEPLOY, every="every"),
    ("down",): Verb(role=Role.DEPLOY),
    ("db", "shell"): Verb(role=Role.DEPLOY),
    ("redis", "shell"): Verb(role=Role.DEPLOY),
    ("app", "env"): Verb(role=Role.DEPLOY, app="name"),
    ("app", "create"): Verb(role=Role.ADMIN, app="name"),
    ("destroy",): Verb(role=Role.ADMIN, app="name"),
    ("keys", "add"): Verb(role=Role.ADMIN, app=""),
    ("keys", "list"): Verb(role=Role.ADMIN, app=""),
    ("keys", "remove"): Verb(role=Role.ADMIN, app=""),
    ("tls", "list"): Verb(role=Role.READ, app=""),
    ("tls", "remove"): Verb(role=Role.ADMIN, app=""),
    ("tls", "renew"): Verb(role=Role.ADMIN, app=""),
    ("images", "build"): Verb(role=Role.ADMIN, app=""),
    ("images", "list"): Verb(role=Role.ADMIN, app=""),
    ("images", "prune"): Verb(role=Role.ADMIN, app=""),
    ("images", "remove"): Verb(role=Role.ADMIN, app=""),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A command with its words, read but not run.

    Args:
        path: the command's own words, such as `("app", "env")`.
        rest: the words after them.
        verb: what is known of it.
        values: its parameters as they were written, by name.
    """

    path: tuple[str, ...]
    rest: tuple[str, ...]
    verb: Verb
    values: Mapping[str, Any]

    @property
    def app(self) -> str | None:
        """The app that it names, or None."""
        named = self.values.get(self.verb.app)
        return named if isinstance(named, str) else None

    @property
    def needed(self) -> Role:
        """The role that it takes."""
        more = self.values.get(self.verb.every) or self.values.get(self.verb.changes)
        return Role.ADMIN if more else self.verb.role

    @property
    def is_wide(self) -> bool:
        """Whether it is about the whole host."""
        return not self.verb.app or bool(self.values.get(self.verb.every))

    @property
    def takes_option(self) -> bool:
        """Whether `--app` could name its app, and does not."""
        return self.verb.app == OPTION and not self.app and not self.is_wide

    def words(self, app: str | None) -> tuple[str, ...]:
        """The words to run, with the app named where they do not name one."""
        more = ("--app", app) if app and self.takes_option else ()
        return (*self.path, *more, *self.rest)


def call(words: Sequence[str]) -> Call:
    """Read a command.

    Args:
        words: what follows `gear`.

    Raises:
        InvalidError: it is not to be had from elsewhere.
        click.UsageError: its options are wrong.
    """
    path = next((p for p in (tuple(words[:2]), tuple(words[:1])) if p in VERBS), None)
    if path is None:
        known = bool(words) and words[0] in COMMANDS
        what = f"`gear {' '.join(words[:2])}`"[:60]
        raise InvalidError(
            f"{what} works on the machine itself only" if known else f"there is no command {what}",
            remedy=f"to be had from elsewhere: {', '.join(' '.join(p) for p in VERBS)}",
        )
    command = _command(path)
    rest = tuple(words[len(path) :])
    context = click.Context(command, info_name=" ".join(path), **command.context_settings)
    values, _, _ = command.make_parser(context).parse_args(list(rest))
    for parameter in command.params:
        value = values.get(parameter.name or "")
        if isinstance(parameter.type, click.Path) and isinstance(value, str | list | tuple):
            raise InvalidError(
                f"{parameter.opts[0]!r} names a path, which would be the host's",
                remedy="leave it out" + ("; --app names the app" if VERBS[path].app else ""),
            )
    return Call(path=path, rest=rest, verb=VERBS[path], values=values)


def _command(path: Sequence[str]) -> click.Command:
    found: click.Command | None = gear
    for word in path:
        if not isinstance(found, click.Group):
            raise KeyError(path)
        if found is gear and word in COMMANDS:
            module = importlib.import_module(f"geartrain.cli.{COMMANDS[word][0]}")
            found = getattr(module, "exec_" if word == "exec" else word)
        else:
            found = found.commands.get(word)
    if found is None:
        raise KeyError(path)
    return found
