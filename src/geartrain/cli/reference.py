"""The command reference in `docs/commands.md`; `python docs/generate.py` writes it.

It says what `--help` says, between the markers of the page.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from textwrap import dedent

import click

from geartrain.cli.main import gear

START, END = "<!-- commands -->\n", "<!-- /commands -->"
PARAGRAPH = "\b\n"  # click's mark for lines that stay as they are


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command with its whole name, such as `gear db shell`."""
    yield from _below("gear", gear)


def _below(name: str, group: click.Group) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group, info_name=name)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        if isinstance(command, click.Group):
            yield from _below(f"{name} {word}", command)
        elif command is not None:
            yield f"{name} {word}", command


def page(text: str) -> str:
    """The page with its reference made new.

    Raises:
        LookupError: a marker is missing.
    """
    if text.count(START) != 1 or text.count(END) != 1:
        raise LookupError("the page needs the markers of commands once")
    head, rest = text.split(START)
    made = "\n".join(_section(name, command) for name, command in commands())
    return head + START + made + rest[rest.index(END) :]


def _section(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name)
    said, _, examples = inspect.cleandoc(command.help or "").partition(PARAGRAPH)
    lines = [f"### {name}", "", "    " + " ".join([name, *command.collect_usage_pieces(context)])]
    lines += ["", *said.strip().splitlines(), ""]
    if rows := [row for param in command.params if (row := _row(param, context))]:
        lines += ["| option | |", "|---|---|", *rows, ""]
    lines += [f"    {line}" for line in dedent(examples.partition("\n")[2]).splitlines()]
    return "\n".join(lines).rstrip() + "\n"


def _row(param: click.Parameter, context: click.Context) -> str:
    record = param.get_help_record(context)
    if record is None or not isinstance(param, click.Option):
        return ""
    option, says = (" ".join(part.split()).replace("|", "\\|") for part in record)
    return f"| `{option}` | {says} |"
