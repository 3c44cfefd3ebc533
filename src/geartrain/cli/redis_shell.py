"""A small Redis shell for machines without redis-cli."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import click

from geartrain.app.credentials import Login
from geartrain.errors import GearError


def talk(address: str, login: Login, command: Sequence[str]) -> None:
    """Run one command, or read commands until the input ends."""
    import valkey

    link = valkey.Valkey(
        host=address, username=login.user, password=login.password, decode_responses=True
    )
    link.response_callbacks.clear()  # what the server says, not what Python makes of it
    if command:
        _answer(link, list(command))
        return
    while True:
        try:
            line = click.prompt(
                f"{address}:6379", prompt_suffix="> ", default="", show_default=False
            )
            words = shlex.split(line)
        except click.Abort:
            return
        except ValueError as error:
            click.echo(f"(error) {error}")
            continue
        if words[:1] in (["exit"], ["quit"]):
            return
        if words:
            _answer(link, words)


def _answer(link: object, words: list[str]) -> None:
    import valkey

    try:
        reply = link.execute_command(*words)  # type: ignore[attr-defined]  # valkey has no types here
    except valkey.ValkeyError as error:
        if isinstance(error, valkey.ConnectionError):
            raise GearError(f"Redis does not answer: {error}") from error
        click.echo(f"(error) {error}")
        return
    for line in reply if isinstance(reply, list) else [reply]:
        click.echo("(nil)" if line is None else line)
